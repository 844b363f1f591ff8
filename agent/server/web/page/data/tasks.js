/** Reading tasks, and what can be done with them. */
import {h} from '../core/dom.js';
import {call} from '../core/api.js';
import {go} from '../core/router.js';
import {taskLink} from '../core/links.js';
import {ask, confirm, field, select} from '../parts/dialog.js';
import {ENDED} from '../parts/status.js';
import {attempt, toast} from '../parts/toast.js';

/** What a row of a list needs. */
export const ROW = [
  'id', 'name', 'type', 'status', 'status_reason', 'project', 'user', 'tags', 'system_tags', 'started', 'completed',
  'created', 'last_update', 'last_iteration', 'active_duration', 'parent', 'execution.queue', 'runtime.progress',
];

/**
 * One task, in whatever project it is.
 * @param {string} id
 * @param {{only?: string[], signal?: AbortSignal}} [how]
 */
export async function getTask(id, {only, signal} = {}) {
  const body = only ? {id: [id], only_fields: only, search_hidden: true} : {id: [id], search_hidden: true};
  const {tasks} = await call('tasks.get_all', body, {signal});
  if (!tasks.length) throw new Error('There is no such task. It may have been deleted.');
  return tasks[0];
}

/** The queues there are, as choices. */
export async function queueChoices() {
  const {queues} = await call('queues.get_all', {only_fields: ['id', 'name', 'system_tags']});
  queues.sort((/** @type {any} */ a, /** @type {any} */ b) => a.name.localeCompare(b.name));
  return queues.map((/** @type {any} */ queue) => ({value: queue.id, text: queue.name}));
}

/**
 * Which acts a status allows.
 * @param {any} task
 */
export function allowed(task) {
  const archived = (task.system_tags ?? []).includes('archived');
  return {
    edit: task.status === 'created',
    enqueue: ['created', 'stopped', 'failed'].includes(task.status) && !archived,
    dequeue: task.status === 'queued',
    abort: ['in_progress', 'queued'].includes(task.status),
    reset: !['created', 'published', 'publishing', 'in_progress'].includes(task.status),
    publish: ['completed', 'stopped'].includes(task.status),
    archived,
    remove: task.status !== 'in_progress',
  };
}

/**
 * The menu of a task.
 * @param {any} task
 * @param {(how?: string) => any} changed called after an act
 * @returns {import('../parts/menu.js').Item[]}
 */
export function acts(task, changed) {
  const may = allowed(task);
  return [
    {text: 'Clone …', act: () => clone(task)},
    {text: 'Enqueue …', act: () => enqueue([task], changed), disabled: !may.enqueue},
    ...(may.dequeue ? [{text: 'Take off the queue', act: () => simple('tasks.dequeue', task, 'Taken off its queue.', changed)}] : []),
    {text: 'Abort …', act: () => abort([task], changed), disabled: !may.abort},
    {text: 'Reset …', act: () => reset([task], changed), disabled: !may.reset},
    {text: 'Publish …', act: () => publish(task, changed), disabled: !may.publish},
    null,
    {text: 'Rename …', act: () => rename(task, changed)},
    {text: 'Tags …', act: () => retag(task, changed)},
    may.archived
      ? {text: 'Take out of the archive', act: () => archive([task], false, changed)}
      : {text: 'Archive', act: () => archive([task], true, changed)},
    {text: 'Delete …', act: () => remove([task], changed), danger: true, disabled: !may.remove && 'Abort it first'},
  ];
}

/**
 * @param {string} action
 * @param {any} task
 * @param {string} said
 * @param {(how?: string) => any} changed
 */
async function simple(action, task, said, changed) {
  if (await attempt(() => call(action, {task: task.id}))) {
    toast(said);
    changed();
  }
}

/** @param {any} task */
export async function clone(task) {
  const name = h('input', {name: 'name', value: `Clone of ${task.name}`, required: true});
  const comment = h('textarea', {name: 'comment', rows: 2, value: task.comment ?? ''});
  const made = await ask({
    title: 'Clone this task',
    body: [field('Name', name), field('Comment', comment), h('p', {class: 'hint'}, 'The clone is a draft: its parameters can be changed before it is enqueued.')],
    act: 'Clone',
    done: () => call('tasks.clone', {
      task: task.id, new_task_name: name.value, new_task_comment: comment.value, new_task_parent: task.parent || task.id,
    }),
  });
  if (!made) return;
  toast('Cloned. This is the draft.');
  go(taskLink({id: made.id, project: task.project}, 'configuration'));
}

/**
 * @param {any[]} tasks
 * @param {(how?: string) => any} changed
 */
export async function enqueue(tasks, changed) {
  const queues = await attempt(queueChoices);
  if (!queues) return;
  const last = tasks[0].execution?.queue || localStorage.getItem('sightline.queue') || '';
  const queue = select({name: 'queue'}, queues, last);
  const answer = await ask({
    title: tasks.length > 1 ? `Enqueue ${tasks.length} tasks` : 'Enqueue this task',
    body: field('Queue', queue),
    act: 'Enqueue',
    done: async () => {
      localStorage.setItem('sightline.queue', queue.value);
      return many('tasks.enqueue_many', tasks, {queue: queue.value, verify_watched_queue: true});
    },
  });
  if (!answer) return;
  const name = queue.selectedOptions[0].textContent;
  if (answer.queue_watched === false) toast(`Enqueued on ${name}, which no agent serves.`, {kind: 'problem'});
  else toast(`Enqueued on ${name}.`);
  changed();
}

/**
 * @param {any[]} tasks
 * @param {(how?: string) => any} changed
 */
export async function abort(tasks, changed) {
  const answer = await confirm(
    tasks.length > 1 ? `Abort ${tasks.length} tasks?` : `Abort ${tasks[0].name}?`,
    'What it has reported stays. An agent ends its process within seconds.', 'Abort',
    () => many('tasks.stop_many', tasks, {include_pipeline_steps: true}));
  if (answer) { toast('Told to stop.'); changed(); }
}

/**
 * @param {any[]} tasks
 * @param {(how?: string) => any} changed
 */
export async function reset(tasks, changed) {
  const answer = await confirm(
    tasks.length > 1 ? `Reset ${tasks.length} tasks?` : `Reset ${tasks[0].name}?`,
    'Its results, logs and output models go; it becomes a draft again.', 'Reset',
    () => many('tasks.reset_many', tasks, {}));
  if (answer) { toast('Reset.'); changed(); }
}

/**
 * @param {any} task
 * @param {(how?: string) => any} changed
 */
async function publish(task, changed) {
  const answer = await confirm(`Publish ${task.name}?`, 'A published task can no longer be changed; its output models are published too.',
    'Publish', () => call('tasks.publish', {task: task.id, publish_model: true}));
  if (answer) { toast('Published.'); changed(); }
}

/**
 * @param {any[]} tasks
 * @param {boolean} away
 * @param {(how?: string) => any} changed
 */
export async function archive(tasks, away, changed) {
  const answer = await attempt(() => many(away ? 'tasks.archive_many' : 'tasks.unarchive_many', tasks, {}));
  if (answer) { toast(away ? 'Archived.' : 'Taken out of the archive.'); changed(); }
}

/**
 * @param {any[]} tasks
 * @param {(how?: string) => any} changed
 */
export async function remove(tasks, changed) {
  const running = tasks.filter((task) => !ENDED.has(task.status) && task.status !== 'created').length;
  const answer = await confirm(
    tasks.length > 1 ? `Delete ${tasks.length} tasks?` : `Delete ${tasks[0].name}?`,
    `Its reports, artifacts and output models are deleted with it. This can't be undone.${running ? ` ${running} of them haven't ended.` : ''}`,
    'Delete',
    () => many('tasks.delete_many', tasks, {force: true, delete_output_models: true}));
  if (answer) { toast('Deleted.'); changed('deleted'); }
}

/**
 * @param {any} task
 * @param {(how?: string) => any} changed
 */
async function rename(task, changed) {
  const name = h('input', {name: 'name', value: task.name, required: true});
  const comment = h('textarea', {name: 'comment', rows: 3, value: task.comment ?? ''});
  const answer = await ask({
    title: 'Rename', body: [field('Name', name), field('Comment', comment)], act: 'Save',
    done: () => call('tasks.update', {task: task.id, name: name.value, comment: comment.value}),
  });
  if (answer) changed();
}

/**
 * @param {any} task
 * @param {(how?: string) => any} changed
 */
async function retag(task, changed) {
  const tags = h('input', {name: 'tags', value: (task.tags ?? []).join(', ')});
  const answer = await ask({
    title: 'Tags', body: field('Tags', tags, 'Separated by commas.'), act: 'Save',
    done: () => call('tasks.update', {
      task: task.id, tags: tags.value.split(',').map((/** @type {string} */ tag) => tag.trim()).filter(Boolean),
    }),
  });
  if (answer) changed();
}

/**
 * Act on several tasks; an error names the first that refused.
 * @param {string} action
 * @param {any[]} tasks
 * @param {Record<string, any>} more
 */
async function many(action, tasks, more) {
  const answer = await call(action, {ids: tasks.map((task) => task.id), ...more});
  const refused = answer.failed ?? [];
  if (refused.length) {
    const [{id, error}] = refused;
    const name = tasks.find((task) => task.id === id)?.name ?? id;
    throw new Error(`${name}: ${error?.msg ?? 'refused'}${refused.length > 1 ? ` (and ${refused.length - 1} more)` : ''}`);
  }
  return answer;
}
