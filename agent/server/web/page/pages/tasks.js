/** The tasks of a project, or all: filtered, sorted, in pages, live. */
import {h, later, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {duration, number, ran} from '../core/format.js';
import {taskLink, pipelineLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {go} from '../core/router.js';
import {ROW, abort, acts, archive, enqueue, remove, reset} from '../data/tasks.js';
import {chips, empty, head, when} from '../parts/blocks.js';
import {select} from '../parts/dialog.js';
import {menu} from '../parts/menu.js';
import {STATUSES, badge, word} from '../parts/status.js';
import {table} from '../parts/table.js';
import {projectCrumbs, projectTabs} from './project-head.js';

const SIZE = 50;
// The plain `get_all` finds what lies in hidden projects as well.
const ACTION = 'tasks.get_all_ex';

/** @param {import('../core/router.js').Context} context */
export default async function tasks(context) {
  const {root, params, query, signal, live, setQuery, title} = context;
  const project = params.project === '*' ? null : params.project;
  await learn('project', [project]);
  title(project ? nameOf('project', project) || 'Tasks' : 'All tasks');

  const chosen = (query.get('columns') ?? '').split('|').filter(Boolean);
  const known = await valueColumns(project, signal);
  const columns = chosen.filter((name) => known.has(name));
  const paths = columns.map((name) => known.get(name) ?? '');
  const list = h('div', null);
  const pages = h('div', {class: 'pager'});
  const several = h('div', {class: 'several', role: 'toolbar', 'aria-label': 'With the picked tasks', hidden: true});
  /** @type {any[]} */
  let shown = [];
  let rows = build();

  function build() {
    const made = table({
      label: 'Tasks',
      key: (task) => task.id,
      order: query.get('order') ?? '-last_update',
      reorder: (order) => { setQuery({order, page: null}); rows = build(); refresh(); },
      pick: (picked) => toolbar(picked),
      columns: [
        {title: 'Name', sort: 'name', class: 'main-cell', cell: (task) => [
          h('a', {href: task.type === 'controller' && task.system_tags?.includes('pipeline') ? pipelineLink(task) : taskLink(task)}, task.name),
          h('div', {class: 'under'}, !project && h('span', null, nameOf('project', task.project)), chips(task.tags)),
        ]},
        {title: 'Status', sort: 'status', cell: (task) => badge(task.status, task.status_reason)},
        {title: 'Type', sort: 'type', cell: (task) => task.type.replaceAll('_', ' ')},
        ...columns.map((name, at) => ({title: name, sort: paths[at], class: 'figure', cell: (/** @type {any} */ task) => shownAs(valueAt(task, paths[at]))})),
        {title: 'Iteration', sort: 'last_iteration', class: 'figure', cell: (task) => number(task.last_iteration)},
        {title: 'Ran', class: 'figure clock', cell: (task) => duration(ran(task))},
        {title: 'Updated', sort: 'last_update', class: 'clock', cell: (task) => when(task.last_update)},
        {title: '', class: 'acts', cell: (task) => menu(`Acts on ${task.name}`, () => acts(task, refresh))},
      ],
    });
    put(list, made.element);
    return made;
  }

  /** @param {Set<string>} picked */
  function toolbar(picked) {
    const chosen = shown.filter((task) => picked.has(task.id));
    several.hidden = chosen.length === 0;
    const done = () => { rows.clear(); refresh(); };
    const archived = query.has('archived');
    put(several, h('span', null, `${chosen.length} picked`),
      h('button', {on: {click: () => go(`/projects/${params.project}/compare/${chosen.map((task) => task.id).join(',')}`)}, disabled: chosen.length < 2}, 'Compare'),
      h('button', {on: {click: () => enqueue(chosen, done)}}, 'Enqueue'),
      h('button', {on: {click: () => abort(chosen, done)}}, 'Abort'),
      h('button', {on: {click: () => reset(chosen, done)}}, 'Reset'),
      h('button', {on: {click: () => archive(chosen, !archived, done)}}, archived ? 'Take out of the archive' : 'Archive'),
      h('button', {class: 'danger-text', on: {click: () => remove(chosen, done)}}, 'Delete'));
  }

  async function refresh() {
    const page = Number(query.get('page') ?? 0);
    const answer = await call(ACTION, {
      ...filters(query, project),
      only_fields: [...ROW, ...paths],
      order_by: [query.get('order') ?? '-last_update'],
      page,
      page_size: SIZE,
    }, {signal});
    const more = answer.tasks.length === SIZE && await any(filters(query, project), (page + 1) * SIZE, signal);
    for (const task of answer.tasks) task.project = task.project?.id ?? task.project;
    await learn('project', answer.tasks.map((/** @type {any} */ task) => task.project));
    shown = answer.tasks;
    rows.show(shown);
    const filtered = ['q', 'status', 'type', 'tag', 'archived'].some((name) => query.has(name));
    const none = list.querySelector('.empty');
    if (shown.length) none?.remove();
    else if (!none) {
      list.append(filtered || page ? empty('No task fits.', 'Take a filter away.')
        : empty('No tasks here yet.', ['Any ClearML script makes one; so does ', h('code', null, 'sightline run'), '.']));
    }
    put(pages, (page > 0 || more) && [
      h('button', {disabled: page === 0, on: {click: () => turn(page - 1)}}, 'Earlier page'),
      h('span', null, `Page ${page + 1}`),
      h('button', {disabled: !more, on: {click: () => turn(page + 1)}}, 'Next page')]);
  }

  /** @param {number} page */
  function turn(page) {
    setQuery({page: page ? String(page) : null});
    rows.clear();
    refresh();
  }

  /** @param {Record<string, string | null>} changes */
  function filter(changes) {
    setQuery({...changes, page: null});
    refresh();
  }

  const search = h('input', {type: 'search', value: query.get('q') ?? '', placeholder: 'Filter by name, id or tag', 'aria-label': 'Filter by name, id or tag',
    on: {input: later(() => filter({q: search.value.trim() || null}), 250)}});
  const state = select({'aria-label': 'Status', on: {change: () => filter({status: state.value || null})}},
    [{value: '', text: 'Any status'}, ...STATUSES.map((value) => ({value, text: word(value)}))], query.get('status') ?? '');
  const types = ['training', 'testing', 'data_processing', 'inference', 'optimizer', 'controller', 'service', 'application', 'monitor', 'qc', 'custom'];
  const kind = select({'aria-label': 'Type', on: {change: () => filter({type: kind.value || null})}},
    [{value: '', text: 'Any type'}, ...types.map((value) => ({value, text: value.replaceAll('_', ' ')}))], query.get('type') ?? '');
  const archive_ = h('input', {type: 'checkbox', checked: query.has('archived'), on: {change: () => filter({archived: archive_.checked ? '1' : null})}});

  const hidden = h('input', {type: 'checkbox', checked: query.has('hidden'), on: {change: () => filter({hidden: hidden.checked ? '1' : null})}});

  put(root,
    head({crumbs: projectCrumbs(project), title: project ? nameOf('project', project).split('/').pop() : 'All tasks', below: projectTabs(params.project, 'tasks')}),
    h('div', {class: 'filters'}, search, state, kind,
      menu('Columns', () => columnChoices([...known.keys()], columns, (names) => { setQuery({columns: names.join('|') || null}); go(location.pathname + location.search, {replace: true}); }), {text: 'Columns', class: 'quiet'}),
      h('label', {class: 'tick'}, archive_, 'Archive'),
      !project && h('label', {class: 'tick', title: 'Steps of pipelines, datasets, templates'}, hidden, 'Hidden projects too')),
    several, list, pages);
  await live(refresh, 4000);
}

/**
 * @param {URLSearchParams} query
 * @param {string | null} project
 */
function filters(query, project) {
  /** @type {Record<string, any>} */
  const body = {system_tags: query.has('archived') ? ['archived'] : ['-archived']};
  if (project) body.project = [project];
  if (project || query.has('hidden')) body.search_hidden = true;
  if (query.get('status')) body.status = [query.get('status')];
  if (query.get('type')) body.type = [query.get('type')];
  if (query.get('tag')) body.tags = [query.get('tag')];
  const text = query.get('q');
  if (text) body.search_text = text;
  return body;
}

/**
 * Whether there is a task at this place of the list.
 * @param {Record<string, any>} body
 * @param {number} place
 * @param {AbortSignal} signal
 */
async function any(body, place, signal) {
  const {tasks: found} = await call(ACTION, {...body, only_fields: ['id'], page: place, page_size: 1}, {signal});
  return found.length > 0;
}

/**
 * What may be a column: the scalars and the parameters of a project's tasks, by the names that
 * people know, with the fields that hold their values.
 * @param {string | null} project
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, string>>}
 */
async function valueColumns(project, signal) {
  const where = project ? {project, include_subprojects: false} : {};
  const [{metrics}, {parameters}] = await Promise.all([
    call('projects.get_unique_metric_variants', where, {signal}),
    call('projects.get_hyper_parameters', {project: '', ...where, page_size: 1000}, {signal}),
  ]);
  const dotted = (/** @type {string} */ name) => name.replaceAll('.', '%2E');
  return new Map([
    ...parameters.map((/** @type {any} */ one) => [`${one.section}/${one.name}`, `hyperparams.${dotted(one.section)}.${dotted(one.name)}.value`]),
    ...metrics.map((/** @type {any} */ one) => [`${one.metric}/${one.variant}`, `last_metrics.${one.metric_hash}.${one.variant_hash}.value`]),
  ]);
}

/**
 * @param {any} task
 * @param {string} path
 */
function valueAt(task, path) {
  return path.split('.').reduce((/** @type {any} */ value, key) => value?.[key.replaceAll('%2E', '.')], task);
}

/** @param {any} value */
function shownAs(value) {
  return typeof value === 'number' ? number(value) : value ?? '';
}

/**
 * @param {string[]} names
 * @param {string[]} chosen
 * @param {(names: string[]) => void} choose
 * @returns {import('../parts/menu.js').Item[]}
 */
function columnChoices(names, chosen, choose) {
  const others = names.filter((name) => !chosen.includes(name)).sort((a, b) => a.localeCompare(b, undefined, {numeric: true}));
  return [
    ...chosen.map((name) => ({text: `✓ ${name}`, act: () => choose(chosen.filter((other) => other !== name))})),
    ...others.slice(0, 200).map((name) => ({text: name, act: () => choose([...chosen, name])})),
    ...(names.length ? [] : [{text: 'No scalars and no parameters in these tasks', act: () => {}, disabled: true}]),
  ];
}
