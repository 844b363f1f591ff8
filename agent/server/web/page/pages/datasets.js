/** Datasets, by name, with their latest version. */
import {h, keyed, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {counted, size} from '../core/format.js';
import {datasetLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {chips, empty, head, waiting, when} from '../parts/blocks.js';
import {badge} from '../parts/status.js';
import {table} from '../parts/table.js';

const FIELDS = ['id', 'name', 'status', 'project', 'tags', 'system_tags', 'last_update', 'created', 'runtime', 'comment', 'user'];

/** @param {import('../core/router.js').Context} context */
export default async function datasets(context) {
  const {root, params, signal, live, title} = context;
  if (params.project) return versions(context);
  title('Datasets');
  const grid = h('div', {class: 'cards'});
  put(root, head({title: 'Datasets'}), waiting(), grid);

  async function refresh() {
    const {tasks} = await call('tasks.get_all', {type: ['data_processing'], system_tags: ['__$and', 'dataset', '__$not', 'archived'], search_hidden: true, order_by: ['-last_update'], page: 0, page_size: 500, only_fields: FIELDS}, {signal});
    await learn('project', tasks.map((/** @type {any} */ task) => task.project));
    const groups = new Map();
    for (const task of tasks) {
      if (!groups.has(task.project)) groups.set(task.project, []);
      groups.get(task.project).push(task);
    }
    root.querySelector('.waiting')?.remove();
    keyed(grid, [...groups.entries()], ([project]) => project ?? '', cardOf);
    const none = root.querySelector('.empty');
    if (groups.size) none?.remove();
    else if (!none) root.append(empty('No datasets yet.', 'A pipeline makes one of its data; so does Dataset.create of the SDK.'));
  }
  return live(refresh, 6000);
}

/** @param {any} first */
function cardOf(first) {
  const element = h('article', {class: 'card'});
  element.update = (/** @type {any} */ [project, found]) => {
    const [owner, name] = nameOf('project', project).split('/.datasets/');
    const [last] = found;
    put(element, h('header', null, h('h2', null, h('a', {href: found.length > 1 ? `/datasets/simple/${project}/tasks` : datasetLink(last)}, name ?? last.name), h('small', null, owner))),
      h('a', {class: 'last-run', href: datasetLink(last)}, badge(last.status), h('span', null, last.runtime?.version ? `version ${last.runtime.version}` : last.name)),
      h('p', {class: 'hint'}, counted(found.length, 'version'), ' · ', contents(last), ' · ', when(last.last_update)), h('div', null, chips(last.tags)));
  };
  element.update(first);
  return element;
}

/** @param {any} task */
function contents(task) {
  const {ds_file_count: files, ds_total_size: bytes} = task.runtime ?? {};
  return [files !== undefined && counted(Number(files), 'file'), bytes !== undefined && size(Number(bytes))].filter(Boolean).join(', ') || 'no files';
}

/** @param {import('../core/router.js').Context} context */
async function versions({root, params, signal, live, title}) {
  await learn('project', [params.project]);
  const [owner, name] = nameOf('project', params.project).split('/.datasets/');
  title(name ?? 'Dataset');
  const rows = table({label: 'Versions', key: (task) => task.id, columns: [
    {title: 'Version', class: 'main-cell', cell: (task) => h('a', {href: datasetLink(task)}, task.runtime?.version ?? task.name)},
    {title: 'Status', cell: (task) => badge(task.status)}, {title: 'Content', cell: contents}, {title: 'Tags', cell: (task) => chips(task.tags)},
    {title: 'Made', class: 'clock', cell: (task) => when(task.created)}]});
  put(root, head({crumbs: [{text: 'Datasets', to: '/datasets'}, {text: owner ?? ''}], title: name ?? ''}), rows.element);
  await live(async () => {
    const {tasks} = await call('tasks.get_all', {project: [params.project], system_tags: ['__$and', 'dataset', '__$not', 'archived'], search_hidden: true, order_by: ['-created'], page: 0, page_size: 500, only_fields: FIELDS}, {signal});
    rows.show(tasks);
  }, 6000);
}
