/** Short messages at the edge of the window. */
import {h} from '../core/dom.js';
import {icon} from './icons.js';

/**
 * @param {string} text
 * @param {{kind?: 'done' | 'problem', link?: {to: string, text: string}}} [more]
 */
export function toast(text, {kind = 'done', link} = {}) {
  let shelf = document.getElementById('toasts');
  if (!shelf) {
    shelf = h('div', {id: 'toasts', role: 'status', 'aria-live': 'polite'});
    document.body.append(/** @type {HTMLElement} */ (shelf));
  }
  const card = h('div', {class: 'toast', data: {kind}},
    h('span', null, text),
    link && h('a', {href: link.to}, link.text),
    h('button', {class: 'bare', 'aria-label': 'Dismiss', on: {click: () => card.remove()}}, icon('close')));
  /** @type {HTMLElement} */ (shelf).append(card);
  setTimeout(() => card.remove(), kind === 'problem' ? 12000 : 6000);
}

/**
 * Do something, and say it if it fails.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T | undefined>}
 */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), {kind: 'problem'});
    return undefined;
  }
}
