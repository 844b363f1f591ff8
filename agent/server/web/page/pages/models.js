/** The models of a project, or all. */
import {h, later, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {modelLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {modelActs} from '../data/models.js';
import {chips, empty, head, when} from '../parts/blocks.js';
import {menu} from '../parts/menu.js';
import {table} from '../parts/table.js';
import {projectCrumbs, projectTabs} from './project-head.js';

const SIZE = 50;

/** @param {import('../core/router.js').Context} context */
export default async function models({root, params, query, signal, live, setQuery, title}) {
  const project = params.project && params.project !== '*' ? params.project : null;
  await learn('project', [project]);
  title(project ? `Models of ${nameOf('project', project)}` : 'Models');
  const list = h('div', null);
  const pages = h('div', {class: 'pager'});
  const search = h('input', {type: 'search', value: query.get('q') ?? '', placeholder: 'Filter by name, id or tag', 'aria-label': 'Filter by name, id or tag',
    on: {input: later(() => { setQuery({q: search.value.trim() || null, page: null}); refresh(); }, 250)}});
  const ready = h('input', {type: 'checkbox', checked: query.has('ready'), on: {change: () => { setQuery({ready: ready.checked ? '1' : null}); refresh(); }}});
  const away = h('input', {type: 'checkbox', checked: query.has('archived'), on: {change: () => { setQuery({archived: away.checked ? '1' : null}); refresh(); }}});
  let rows = build();
  put(root, head({crumbs: project ? projectCrumbs(project) : [], title: project ? nameOf('project', project).split('/').pop() : 'Models', below: project && projectTabs(project, 'models')}),
    h('div', {class: 'filters'}, search, h('label', {class: 'tick'}, ready, 'Published only'), h('label', {class: 'tick'}, away, 'Archive')), list, pages);

  function build() {
    const made = table({
      label: 'Models', key: (model) => model.id, order: query.get('order') ?? '-last_update',
      reorder: (order) => { setQuery({order}); rows = build(); refresh(); },
      columns: [
        {title: 'Name', sort: 'name', class: 'main-cell', cell: (model) => [h('a', {href: modelLink(model)}, model.name), h('div', {class: 'under'}, !project && nameOf('project', model.project), chips(model.tags))]},
        {title: 'State', sort: 'ready', cell: (model) => h('span', {class: 'badge', data: {status: model.ready ? 'published' : 'created'}}, h('span', {class: 'dot'}), model.ready ? 'published' : 'draft')},
        {title: 'Framework', sort: 'framework', cell: (model) => model.framework},
        {title: 'Made by', cell: (model) => model.task && h('a', {href: `/projects/${model.project ?? '*'}/tasks/${model.task}`}, nameOf('task', model.task) || 'a task')},
        {title: 'Made', sort: 'created', class: 'clock', cell: (model) => when(model.created)},
        {title: '', class: 'acts', cell: (model) => menu(`Acts on ${model.name}`, () => modelActs(model, refresh))},
      ],
    });
    put(list, made.element);
    return made;
  }

  async function refresh() {
    const page = Number(query.get('page') ?? 0);
    /** @type {Record<string, any>} */
    const body = {
      system_tags: query.has('archived') ? ['archived'] : ['-archived'], order_by: [query.get('order') ?? '-last_update'], page, page_size: SIZE, search_hidden: true,
      only_fields: ['id', 'name', 'ready', 'framework', 'task', 'project', 'created', 'last_update', 'tags', 'system_tags', 'uri'],
    };
    if (project) body.project = [project];
    if (query.has('ready')) body.ready = true;
    if (query.get('q')) body.search_text = query.get('q');
    const {models: found} = await call('models.get_all', body, {signal});
    await Promise.all([learn('task', found.map((/** @type {any} */ model) => model.task)), learn('project', found.map((/** @type {any} */ model) => model.project))]);
    rows.show(found);
    const more = found.length === SIZE && (await call('models.get_all', {...body, only_fields: ['id'], page: (page + 1) * SIZE, page_size: 1}, {signal})).models.length > 0;
    const turn = (/** @type {number} */ to) => () => { setQuery({page: to ? String(to) : null}); refresh(); };
    put(pages, (page > 0 || more) && [h('button', {disabled: page === 0, on: {click: turn(page - 1)}}, 'Earlier page'), h('span', null, `Page ${page + 1}`), h('button', {disabled: !more, on: {click: turn(page + 1)}}, 'Next page')]);
    const none = list.querySelector('.empty');
    if (found.length) none?.remove();
    else if (!none) list.append(empty('No models.', 'Tasks make them; a pipeline publishes its best.'));
  }
  await live(refresh, 6000);
}
