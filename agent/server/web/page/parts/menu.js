/** A button with a menu of acts; arrow keys move, Escape closes. */
import {h} from '../core/dom.js';
import {icon} from './icons.js';

/**
 * @typedef {{text: string, act: () => any, danger?: boolean, disabled?: string | boolean} | null} Item
 */

/**
 * @param {string} label
 * @param {() => Item[]} items asked when the menu opens; null draws a line
 * @param {{text?: string, class?: string}} [look]
 */
export function menu(label, items, look = {}) {
  const button = h('button', {
    type: 'button',
    class: look.class ?? 'bare',
    'aria-haspopup': 'menu',
    'aria-expanded': 'false',
    'aria-label': look.text ? null : label,
    on: {click: open},
  }, look.text, icon(look.text ? 'down' : 'more'));

  function open() {
    if (button.getAttribute('aria-expanded') === 'true') return;
    const list = h('div', {class: 'menu', role: 'menu', 'aria-label': label}, items().map((item) => (
      item
        ? h('button', {
          type: 'button',
          role: 'menuitem',
          class: item.danger ? 'danger-text' : null,
          disabled: Boolean(item.disabled),
          title: typeof item.disabled === 'string' ? item.disabled : null,
          on: {click: () => { close(); item.act(); }},
        }, item.text)
        : h('hr', null))));
    const away = (/** @type {Event} */ event) => {
      if (!list.contains(/** @type {Node} */ (event.target))) close();
    };
    function close() {
      list.remove();
      button.setAttribute('aria-expanded', 'false');
      document.removeEventListener('pointerdown', away, true);
      window.removeEventListener('sightline:page', close);
      button.focus();
    }
    list.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      const all = [...list.querySelectorAll('button:not(:disabled)')];
      const at = all.indexOf(document.activeElement);
      if (event.key === 'Escape' || event.key === 'Tab') close();
      else if (event.key === 'ArrowDown') all[(at + 1) % all.length]?.focus();
      else if (event.key === 'ArrowUp') all[(at + all.length - 1) % all.length]?.focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    document.body.append(list);
    place(list, button.getBoundingClientRect());
    button.setAttribute('aria-expanded', 'true');
    setTimeout(() => document.addEventListener('pointerdown', away, true));
    window.addEventListener('sightline:page', close);
    list.querySelector('button:not(:disabled)')?.focus();
  }
  return button;
}

/**
 * @param {HTMLElement} list
 * @param {DOMRect} anchor
 */
function place(list, anchor) {
  const {width, height} = list.getBoundingClientRect();
  const below = anchor.bottom + 4 + height < innerHeight;
  list.style.top = `${below ? anchor.bottom + 4 : Math.max(8, anchor.top - height - 4)}px`;
  list.style.left = `${Math.max(8, Math.min(anchor.right - width, innerWidth - width - 8))}px`;
}
