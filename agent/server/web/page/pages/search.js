/** One search over tasks, pipelines, models, datasets and projects. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {datasetLink, modelLink, pipelineLink, taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {card, empty, head, waiting, when} from '../parts/blocks.js';
import {badge} from '../parts/status.js';

/** @param {import('../core/router.js').Context} context */
export default async function search({root, query, signal, title}) {
  const text = query.get('q') ?? '';
  title(`Search: ${text}`);
  put(root, head({title: `Found for “${text}”`}), waiting());
  const common = {search_text: text, order_by: ['-last_update'], page: 0, page_size: 30, search_hidden: true};
  const [tasks, models, projects] = await Promise.all([
    call('tasks.get_all', {...common, only_fields: ['id', 'name', 'type', 'status', 'project', 'system_tags', 'last_update']}, {signal}),
    call('models.get_all', {...common, only_fields: ['id', 'name', 'project', 'last_update']}, {signal}),
    call('projects.get_all', {name: escaped(text), only_fields: ['id', 'name'], page: 0, page_size: 20}, {signal}),
  ]);
  await learn('project', [...tasks.tasks, ...models.models].map((thing) => thing.project));
  const line = (/** @type {string} */ to, /** @type {any} */ thing) => h('a', {class: 'row-line', href: to}, thing.status && badge(thing.status), h('span', {class: 'grow'}, h('strong', null, thing.name), h('small', null, nameOf('project', thing.project))), thing.last_update && when(thing.last_update));
  const kind = (/** @type {any} */ task) => (task.system_tags?.includes('dataset') ? 'Datasets' : task.system_tags?.includes('pipeline') && task.type === 'controller' ? 'Pipelines' : 'Tasks');
  const link = {Datasets: datasetLink, Pipelines: pipelineLink, Tasks: taskLink};
  const groups = Object.entries(link).map(([name, to]) => [name, tasks.tasks.filter((/** @type {any} */ task) => kind(task) === name).map((/** @type {any} */ task) => line(to(task), task))]);
  put(root, head({title: `Found for “${text}”`}),
    [...groups, ['Models', models.models.map((/** @type {any} */ model) => line(modelLink(model), model))], ['Projects', projects.projects.map((/** @type {any} */ project) => line(`/projects/${project.id}/tasks`, project))]]
      .filter(([, rows]) => rows.length).map(([name, rows]) => card(name, rows)));
  if (!root.querySelector('.card')) root.append(empty('Nothing found.', 'Names, ids, comments and tags are searched.'));
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
