/** One version of a dataset: what is in it, what it comes from, previews. */
import {h, put} from '../core/dom.js';
import {exact, size, counted} from '../core/format.js';
import {datasetLink, taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {go} from '../core/router.js';
import {acts, getTask} from '../data/tasks.js';
import {card, chips, copyable, empty, facts, head} from '../parts/blocks.js';
import {menu} from '../parts/menu.js';
import {badge} from '../parts/status.js';

/** @param {import('../core/router.js').Context} context */
export default async function dataset({root, params, signal, live, title}) {
  let drawn = '';

  async function refresh() {
    const task = await getTask(params.task, {only: ['id', 'name', 'status', 'status_reason', 'project', 'runtime', 'tags', 'system_tags', 'comment', 'created', 'configuration', 'user', 'type', 'hyperparams.properties'], signal});
    if (JSON.stringify(task) === drawn || document.querySelector('[aria-expanded=true][aria-haspopup]')) return;
    drawn = JSON.stringify(task);
    await Promise.all([learn('project', [task.project]), learn('user', [task.user])]);
    const [owner, name] = nameOf('project', task.project).split('/.datasets/');
    const version = task.runtime?.version ?? task.hyperparams?.properties?.version?.value;
    const parents = struct(task);
    await learn('task', parents);
    title(`${name ?? task.name} ${version ?? ''}`);
    const content = task.configuration?.['Dataset Content']?.value;
    put(root, head({
      crumbs: [{text: 'Datasets', to: '/datasets'}, {text: owner}, {text: name ?? '', to: `/datasets/simple/${task.project}/tasks`}], title: version ? `${name ?? task.name} ${version}` : name ?? task.name,
      actions: menu('More acts', () => acts(task, (how) => (how === 'deleted' ? go('/datasets') : refresh()))),
      below: h('div', {class: 'meta'}, badge(task.status, task.status_reason), chips(task.tags), copyable(task.id), ['samples', 'plots', 'console', 'artifacts', 'info'].map((tab) => h('a', {href: taskLink(task, tab)}, tab === 'samples' ? 'Previews' : tab[0].toUpperCase() + tab.slice(1)))),
    }),
    card('About', facts([
      ['Files', task.runtime?.ds_file_count !== undefined && counted(Number(task.runtime.ds_file_count), 'file')], ['Size', task.runtime?.ds_total_size !== undefined && size(Number(task.runtime.ds_total_size))],
      ['Stored as', task.runtime?.ds_total_size_compressed !== undefined && size(Number(task.runtime.ds_total_size_compressed))],
      ['Changes', changes(task.runtime)], ['Made', exact(task.created)], ['By', nameOf('user', task.user)], ['Comment', task.comment && h('span', {class: 'lines'}, task.comment)],
      ['Comes from', parents.length > 0 && parents.map((id) => h('div', null, h('a', {href: datasetLink({id})}, nameOf('task', id) || id)))]])),
    card('Use it', h('pre', {tabindex: '0'}, `from clearml import Dataset\npath = Dataset.get(dataset_id="${task.id}").get_local_copy()`)),
    content ? card('Content', h('pre', {class: 'preview', tabindex: '0'}, content)) : empty('No list of files yet.', 'It is there once the dataset is closed.'));
  }
  await live(refresh, 6000);
}

/** @param {any} task */
function struct(task) {
  try {
    const graph = JSON.parse(task.configuration?.['Dataset Struct']?.value ?? '{}');
    const here = /** @type {any} */ (Object.values(graph).find((/** @type {any} */ node) => node.job_id === task.id));
    return (here?.parents ?? []).map((/** @type {string} */ parent) => graph[parent]?.job_id).filter(Boolean);
  } catch {
    return [];
  }
}

/** @param {any} runtime */
function changes(runtime) {
  const {ds_change_add: added, ds_change_remove: removed, ds_change_modify: modified} = runtime ?? {};
  return [added && `${added} added`, modified && `${modified} changed`, removed && `${removed} removed`].filter(Boolean).join(', ');
}
