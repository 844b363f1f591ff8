// The page behind a link that logs in once: `/web/link.html#code=...&to=/projects`.
import {call} from './core/api.js';
import {keep} from './core/session.js';

const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, '', location.pathname); // the code has no business in the history
try {
  const {token} = await call('web.login', {code: given.get('code') ?? ''}, {anonymous: true});
  keep(token);
  const to = given.get('to') ?? '/';
  location.replace(/^\/(?![/\\])/.test(to) ? to : '/');
} catch (error) {
  const said = /** @type {HTMLElement} */ (document.getElementById('said'));
  said.textContent = error.message;
}
