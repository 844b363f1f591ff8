/** Small pieces that many pages use. */
import {h} from '../core/dom.js';
import {ago, exact} from '../core/format.js';
import {icon} from './icons.js';
import {toast} from './toast.js';

/**
 * The head of a page.
 * @param {{crumbs?: {text: string, to?: string}[], title: any, actions?: any, below?: any}} what
 */
export function head({crumbs = [], title, actions, below}) {
  return h('header', {class: 'head'},
    crumbs.length > 0 && h('nav', {class: 'crumbs', 'aria-label': 'Where this is'},
      crumbs.map(({text, to}) => (to ? h('a', {href: to}, text) : h('span', null, text)))),
    h('div', {class: 'head-line'}, h('h1', null, title), h('div', {class: 'actions'}, actions)),
    below);
}

/**
 * What stands where there is nothing yet.
 * @param {string} title
 * @param {any} [text]
 */
export function empty(title, text) {
  return h('div', {class: 'empty'}, h('strong', null, title), text && h('p', null, text));
}

/** @param {string | undefined | null} at */
export function when(at) {
  return h('time', {datetime: at ?? null, title: exact(at)}, ago(at));
}

/** @param {string[] | undefined} tags */
export function chips(tags) {
  return (tags ?? []).map((tag) => h('span', {class: 'chip'}, tag));
}

/**
 * A list of names and values.
 * @param {[string, any][]} rows
 */
export function facts(rows) {
  return h('dl', {class: 'facts'}, rows.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => [h('dt', null, name), h('dd', null, value)]));
}

/**
 * A text to copy, with a button for it.
 * @param {string} text
 */
export function copyable(text) {
  return h('span', {class: 'copyable'}, h('code', null, text),
    h('button', {class: 'bare', type: 'button', 'aria-label': `Copy ${text}`, on: {click: async () => {
      await navigator.clipboard.writeText(text);
      toast('Copied.');
    }}}, icon('copy')));
}

/**
 * A card with a title.
 * @param {any} title
 * @param {...any} content
 */
export function card(title, ...content) {
  return h('section', {class: 'card'}, title && h('h2', null, title), content);
}

/** Something is on its way. */
export function waiting() {
  return h('div', {class: 'waiting', role: 'status'}, h('span', {class: 'spinner', 'aria-hidden': 'true'}), 'Loading …');
}
