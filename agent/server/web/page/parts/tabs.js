/** Tabs that are links, so that each has an address. */
import {h} from '../core/dom.js';

/**
 * @param {string} label
 * @param {{id: string, text: string, to: string}[]} tabs
 * @param {string} current
 */
export function tabs(label, tabs, current) {
  return h('nav', {class: 'tabs', 'aria-label': label}, tabs.map(({id, text, to}) => (
    h('a', {href: to, 'aria-current': id === current ? 'page' : null}, text))));
}
