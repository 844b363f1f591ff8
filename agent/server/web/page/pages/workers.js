/** Who works, and what waits on which queue. */
import {h, keyed, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {ago, duration, number} from '../core/format.js';
import {taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {card, empty, head, waiting, when} from '../parts/blocks.js';
import {ask, confirm, field} from '../parts/dialog.js';
import {icon} from '../parts/icons.js';
import {menu} from '../parts/menu.js';
import {attempt} from '../parts/toast.js';

/** @param {import('../core/router.js').Context} context */
export default async function workers({root, query, signal, live, title}) {
  title('Workers and queues');
  const agents = h('div', {class: 'row-list'});
  const queues = h('div', {class: 'queues'});
  put(root, head({title: 'Workers and queues', actions: h('button', {type: 'button', on: {click: make}}, icon('add'), 'New queue')}), waiting(), card('Workers', agents), queues);

  async function refresh() {
    const [working, waiting_] = await Promise.all([call('workers.get_all', {}, {signal}), call('queues.get_all', {}, {signal})]);
    await learn('task', waiting_.queues.flatMap((/** @type {any} */ queue) => (queue.entries ?? []).map((/** @type {any} */ entry) => entry.task)));
    root.querySelector('.waiting')?.remove();
    const found = working.workers.map((/** @type {any} */ worker) => ({...worker, id: worker.id}));
    agents.querySelector('.empty')?.remove();
    keyed(agents, found, (worker) => worker.id, workerLine);
    if (!found.length) agents.append(empty('No workers.', ['An agent appears here while it runs: ', h('code', null, 'sightline up'), ' or ', h('code', null, 'clearml-agent daemon --queue NAME'), '.']));
    const listed = waiting_.queues.map((/** @type {any} */ queue) => ({...queue, workers: found.filter((/** @type {any} */ worker) => (worker.queues ?? []).some((/** @type {any} */ one) => one.id === queue.id)).map((/** @type {any} */ worker) => worker.id)}));
    listed.sort((/** @type {any} */ a, /** @type {any} */ b) => a.name.localeCompare(b.name));
    keyed(queues, listed, (/** @type {any} */ queue) => queue.id, queueCard);
    const wanted = query.get('queue');
    if (wanted) {
      query.delete('queue');
      queues.querySelector(`[data-key="${CSS.escape(wanted)}"]`)?.scrollIntoView();
    }
  }

  /** @param {any} first */
  function queueCard(first) {
    const body = h('div', {class: 'row-list'});
    const note = h('span', {class: 'hint'});
    const element = h('section', {class: 'card'}, h('header', null, h('h2', null, first.name), note, menu(`Acts on ${first.name}`, () => [
      {text: 'Rename …', act: async () => {
        const name = h('input', {required: true, value: element.queue.name});
        if (await ask({title: 'Rename the queue', body: field('Name', name), act: 'Save', done: () => call('queues.update', {queue: first.id, name: name.value.trim()})})) refresh();
      }},
      {text: 'Delete …', danger: true, act: async () => {
        if (await confirm(`Delete the queue ${element.queue.name}?`, 'Tasks that wait on it become drafts again.', 'Delete', () => call('queues.delete', {queue: first.id, force: true}))) refresh();
      }}])), body);
    element.update = (/** @type {any} */ queue) => {
      element.queue = queue;
      element.querySelector('h2').textContent = queue.name;
      const count = queue.entries?.length ?? 0;
      note.textContent = `${count ? `${count} waiting` : 'empty'} · ${queue.workers.length ? `served by ${queue.workers.join(', ')}` : 'no agent serves it'}`;
      put(body, (queue.entries ?? []).map((/** @type {any} */ entry, /** @type {number} */ at) => h('div', {class: 'row-line'}, h('span', {class: 'hint figure'}, at + 1),
        h('a', {class: 'grow', href: taskLink({id: entry.task})}, nameOf('task', entry.task) || entry.task), h('span', {class: 'hint'}, 'since ', when(entry.added)),
        h('button', {type: 'button', class: 'bare', 'aria-label': 'To the front', title: 'To the front', disabled: at === 0, on: {click: () => act('queues.move_task_to_front', queue, entry)}}, icon('up')),
        h('button', {type: 'button', class: 'bare', 'aria-label': 'Take off the queue', title: 'Take off the queue', on: {click: () => act('tasks.dequeue', queue, entry)}}, icon('close')))));
    };
    element.update(first);
    return element;
  }

  /**
   * @param {string} action
   * @param {any} queue
   * @param {any} entry
   */
  async function act(action, queue, entry) {
    await attempt(() => call(action, action.startsWith('queues') ? {queue: queue.id, task: entry.task} : {task: entry.task}));
    refresh();
  }

  async function make() {
    const name = h('input', {required: true});
    if (await ask({title: 'New queue', body: field('Name', name), act: 'Make', done: () => call('queues.create', {name: name.value.trim()})})) refresh();
  }

  await live(refresh, 3000);
}

/**
 * A worker's name without the id that an agent in services mode adds for each of its tasks.
 * @param {string} id
 */
export function shortName(id) {
  return id.replace(/:service:[0-9a-f]{32}$/, ' · service');
}

/** @param {any} first */
function workerLine(first) {
  const element = h('div', {class: 'row-line'});
  element.update = (/** @type {any} */ worker) => put(element,
    h('i', {class: 'lamp', data: {on: worker.task ? 'busy' : 'idle'}}),
    h('span', {class: 'grow'}, h('strong', {title: worker.id}, shortName(worker.id)), h('small', null, (worker.queues ?? []).map((/** @type {any} */ queue) => queue.name).join(', '))),
    worker.task ? h('span', null, h('a', {href: taskLink(worker.task)}, worker.task.name), h('small', null, ` ${duration((worker.task.running_time ?? 0) / 1000)}, iteration ${number(worker.task.last_iteration)}`)) : h('span', {class: 'hint'}, 'idle'),
    h('span', {class: 'hint figure', title: 'Last sign of life'}, ago(worker.last_activity_time ?? worker.last_report_time)));
  element.update(first);
  return element;
}
