/** The form for those whom the server doesn't know: another user of the machine, or another machine. */
import {h} from '../core/dom.js';
import {call} from '../core/api.js';
import {keep} from '../core/session.js';

export function login() {
  const key = h('input', {name: 'key', autocomplete: 'username', required: true, spellcheck: 'false'});
  const secret = h('input', {name: 'secret', type: 'password', autocomplete: 'current-password', required: true});
  const problem = h('p', {class: 'problem', role: 'alert', hidden: true});
  document.title = 'Log in · Sightline';
  return h('main', {class: 'lone', id: 'main'},
    h('form', {class: 'card login', on: {submit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      problem.hidden = true;
      try {
        const bytes = new TextEncoder().encode(`${key.value.trim()}:${secret.value.trim()}`);
        const pair = btoa(String.fromCharCode(...bytes));
        const {token} = await call('auth.login', {expiration_sec: 14 * 86400}, {authorization: `Basic ${pair}`});
        keep(token);
        location.reload();
      } catch (error) {
        problem.textContent = error instanceof Error ? error.message : String(error);
        problem.hidden = false;
      }
    }}},
    h('h1', null, h('img', {src: '/web/favicon.svg', alt: '', width: 34, height: 34}), 'Sightline'),
    h('label', {class: 'field'}, h('span', null, 'Access key'), key),
    h('label', {class: 'field'}, h('span', null, 'Secret key'), secret),
    problem,
    h('button', {class: 'primary', type: 'submit'}, 'Log in'),
    h('p', {class: 'hint'}, 'On the machine of the server, ', h('code', null, 'sightline open'),
      ' opens this page logged in, and ', h('code', null, 'sightline credentials'), ' shows the keys.')));
}
