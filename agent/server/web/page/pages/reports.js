/** Reports, the last changed first. */
import {h, later, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {reportLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {FIELDS, acts, make, ownerName} from '../data/reports.js';
import {chips, empty, head, when} from '../parts/blocks.js';
import {menu} from '../parts/menu.js';
import {badge} from '../parts/status.js';
import {table} from '../parts/table.js';

const SIZE = 50;

/** @param {import('../core/router.js').Context} context */
export default async function reports({root, query, signal, live, setQuery, title}) {
  title('Reports');
  const list = h('div', null);
  const pages = h('div', {class: 'pager'});
  const search = h('input', {type: 'search', value: query.get('q') ?? '', placeholder: 'Filter by name, id or tag', 'aria-label': 'Filter by name, id or tag',
    on: {input: later(() => { setQuery({q: search.value.trim() || null, page: null}); refresh(); }, 250)}});
  const away = h('input', {type: 'checkbox', checked: query.has('archived'), on: {change: () => { setQuery({archived: away.checked ? '1' : null, page: null}); refresh(); }}});
  let rows = build();
  put(root, head({title: 'Reports', actions: h('button', {class: 'primary', type: 'button', on: {click: make}}, 'New report')}),
    h('div', {class: 'filters'}, search, h('label', {class: 'tick'}, away, 'Archive')), list, pages);

  function build() {
    const made = table({
      label: 'Reports', key: (report) => report.id, order: query.get('order') ?? '-last_update',
      reorder: (order) => { setQuery({order, page: null}); rows = build(); refresh(); },
      columns: [
        {title: 'Name', sort: 'name', class: 'main-cell', cell: (report) => [h('a', {href: reportLink(report)}, report.name), h('div', {class: 'under'}, ownerName(nameOf('project', report.project)), chips(report.tags))]},
        {title: 'State', sort: 'status', cell: (report) => badge(report.status)},
        {title: 'By', cell: (report) => nameOf('user', report.user)},
        {title: 'Updated', sort: 'last_update', class: 'clock', cell: (report) => when(report.last_update)},
        {title: '', class: 'acts', cell: (report) => menu(`Acts on ${report.name}`, () => acts(report, refresh))},
      ],
    });
    put(list, made.element);
    return made;
  }

  async function refresh() {
    const page = Number(query.get('page') ?? 0);
    /** @type {Record<string, any>} */
    const body = {system_tags: query.has('archived') ? ['archived'] : ['-archived'], order_by: [query.get('order') ?? '-last_update'], only_fields: FIELDS};
    if (query.get('q')) body.search_text = query.get('q');
    // From the first on, and one more than is shown: it tells whether there is a next page.
    const {tasks} = await call('reports.get_all_ex', {...body, page: 0, page_size: (page + 1) * SIZE + 1}, {signal});
    const found = tasks.slice(page * SIZE, (page + 1) * SIZE);
    for (const report of found) { report.project = report.project?.id ?? report.project; report.user = report.user?.id ?? report.user; }
    await Promise.all([learn('project', found.map((/** @type {any} */ report) => report.project)), learn('user', found.map((/** @type {any} */ report) => report.user))]);
    rows.show(found);
    const more = tasks.length > (page + 1) * SIZE;
    const turn = (/** @type {number} */ to) => () => { setQuery({page: to ? String(to) : null}); refresh(); };
    put(pages, (page > 0 || more) && [h('button', {disabled: page === 0, on: {click: turn(page - 1)}}, 'Earlier page'), h('span', null, `Page ${page + 1}`), h('button', {disabled: !more, on: {click: turn(page + 1)}}, 'Next page')]);
    const none = list.querySelector('.empty');
    if (found.length) none?.remove();
    else if (!none) list.append(empty('No reports.', 'A report is a text with figures of tasks; make one here, or with ClearML’s API.'));
  }
  await live(refresh, 6000);
}
