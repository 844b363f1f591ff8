/** What is around every page: the way to the other pages, search, theme, and word of an outage. */
import {h, put} from './core/dom.js';
import {go} from './core/router.js';
import {forget, who} from './core/session.js';
import {icon} from './parts/icons.js';
import {menu} from './parts/menu.js';

/** @type {{to: string, text: string, icon: any, also?: string}[]} */
const PLACES = [
  {to: '/', text: 'Overview', icon: 'overview'},
  {to: '/projects', text: 'Projects', icon: 'projects'},
  {to: '/pipelines', text: 'Pipelines', icon: 'pipelines'},
  {to: '/datasets', text: 'Datasets', icon: 'datasets'},
  {to: '/models', text: 'Models', icon: 'models'},
  {to: '/reports', text: 'Reports', icon: 'reports'},
  {to: '/workers-and-queues', text: 'Workers and queues', icon: 'workers'},
];

/** @param {HTMLElement} app */
export function frame(app) {
  const links = PLACES.map((place) => h('a', {href: place.to, title: place.text}, icon(place.icon), h('span', null, place.text)));
  const find = h('input', {
    type: 'search', name: 'q', placeholder: 'Find tasks, models, datasets', 'aria-label': 'Find', autocomplete: 'off', 'aria-keyshortcuts': '/',
  });
  const notice = h('div', {class: 'notice', role: 'alert', hidden: true});
  const outlet = h('main', {id: 'main', tabindex: '-1'});
  put(app,
    h('nav', {class: 'side', 'aria-label': 'Pages'},
      h('a', {class: 'brand', href: '/'}, h('img', {src: '/web/favicon.svg', alt: '', width: 26, height: 26}), h('span', null, 'Sightline')),
      links),
    h('div', {class: 'top'},
      h('form', {class: 'find', role: 'search', on: {submit: (/** @type {Event} */ event) => {
        event.preventDefault();
        if (find.value.trim()) go(`/search?q=${encodeURIComponent(find.value.trim())}`);
      }}}, icon('search'), find, h('kbd', {'aria-hidden': 'true'}, '/')),
      h('button', {class: 'bare', type: 'button', 'aria-label': 'Light or dark', title: 'Light or dark', on: {click: turn}}, icon('theme')),
      menu(`Signed in as ${who()?.name ?? 'you'}`, () => [
        {text: 'Log out', act: () => { forget(); window.dispatchEvent(new CustomEvent('sightline:login')); }},
      ], {text: who()?.name ?? 'you', class: 'quiet'})),
    notice, outlet);

  const mark = () => {
    const here = location.pathname;
    PLACES.forEach(({to}, at) => {
      const on = to === '/' ? here === '/' || here === '/dashboard'
        : here.startsWith(to) || (to === '/models' && /^\/projects\/[^/]+\/models/.test(here));
      const hidden = to === '/projects' && /^\/projects\/[^/]+\/models/.test(here);
      if (on && !hidden) links[at].setAttribute('aria-current', 'page');
      else links[at].removeAttribute('aria-current');
    });
    if (!here.startsWith('/search')) find.value = '';
  };
  window.addEventListener('sightline:page', mark);
  document.addEventListener('keydown', (event) => {
    const inField = /^(INPUT|TEXTAREA|SELECT)$/.test(/** @type {Element} */ (event.target).tagName);
    if (event.key === '/' && !inField && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      find.focus();
    }
  });
  return {
    outlet,
    /** @param {any} problem */
    tell(problem) {
      notice.hidden = !problem;
      if (!problem) return;
      if (problem.code === undefined) console.error(problem);
      put(notice, problem.code === 0 ? 'The server does not answer. This page goes on by itself once it does.' : problem.message);
      if (!outlet.querySelector('.page')?.childElementCount) put(outlet.querySelector('.page') ?? outlet, h('p', {class: 'empty'}, problem.message));
    },
  };
}

function turn() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  localStorage.setItem('sightline.theme', root.dataset.theme);
  window.dispatchEvent(new CustomEvent('sightline:theme'));
}
