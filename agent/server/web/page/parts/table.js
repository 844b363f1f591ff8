/** Tables that stay live: rows are kept, not drawn anew; columns sort; rows can be picked. */
import {h, keyed, put} from '../core/dom.js';
import {icon} from './icons.js';

/**
 * @template T
 * @typedef {object} Column
 * @property {string} title
 * @property {(item: T) => any} cell
 * @property {string} [sort] the field to order by
 * @property {string} [class]
 */

/**
 * @template T
 * @param {object} what
 * @param {string} what.label what it lists
 * @param {Column<T>[]} what.columns
 * @param {(item: T) => string} what.key
 * @param {string} [what.order] the field it is ordered by, `-` before it for falling
 * @param {(order: string) => void} [what.reorder]
 * @param {(picked: Set<string>) => void} [what.pick] gives the rows a box to tick
 */
export function table({label, columns, key, order = '', reorder, pick}) {
  /** @type {Set<string>} */
  const picked = new Set();
  const body = h('tbody', null);
  const all = pick && h('input', {type: 'checkbox', 'aria-label': 'All rows', on: {change: () => {
    for (const row of body.children) choose(row, all.checked);
    pick(picked);
  }}});
  const heads = columns.map((column) => head(column));
  const element = h('div', {class: 'table-frame'}, h('table', null,
    h('caption', {class: 'unseen'}, label),
    h('thead', null, h('tr', null, pick && h('th', {class: 'pick', scope: 'col'}, all), heads)), body));

  /** @param {Column<T>} column */
  function head(column) {
    if (!column.sort || !reorder) return h('th', {scope: 'col', class: column.class}, column.title || h('span', {class: 'unseen'}, 'Acts'));
    const now = order.replace(/^-/, '') === column.sort;
    const falls = order.startsWith('-');
    return h('th', {scope: 'col', class: column.class, 'aria-sort': now ? (falls ? 'descending' : 'ascending') : null},
      h('button', {class: 'sorter', type: 'button', on: {click: () => {
        reorder(now && falls ? column.sort ?? '' : `-${column.sort}`);
      }}}, column.title, now && icon(falls ? 'down' : 'up')));
  }

  /**
   * @param {any} row
   * @param {boolean} on
   */
  function choose(row, on) {
    picked[on ? 'add' : 'delete'](row.dataset.key);
    row.querySelector('input').checked = on;
  }

  /** @param {T} item */
  function make(item) {
    const cells = columns.map((column) => h('td', {class: column.class}));
    const row = h('tr', null,
      pick && h('td', {class: 'pick'}, h('input', {type: 'checkbox', 'aria-label': 'Pick this row', on: {
        change: (/** @type {any} */ event) => { choose(row, event.target.checked); pick(picked); },
      }})), cells);
    row.update = (/** @type {T} */ fresh) => {
      const text = JSON.stringify(fresh);
      if (row.shown === text && !columns.some((column) => column.class?.includes('clock'))) return;
      row.shown = text;
      columns.forEach((column, at) => {
        if (!cells[at].contains(document.activeElement) || column.class?.includes('clock')) put(cells[at], column.cell(fresh));
      });
    };
    row.update(item);
    return row;
  }

  return {
    element,
    picked,
    /** @param {T[]} items */
    show(items) {
      keyed(body, items, key, make);
      const there = new Set(items.map(key));
      for (const name of picked) if (!there.has(name)) picked.delete(name);
    },
    clear() {
      for (const row of body.children) choose(row, false);
      if (all) all.checked = false;
      pick?.(picked);
    },
  };
}
