/** The first page: what runs, what ran last, who works, what waits. */
import {h, keyed, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {counted, duration, ran} from '../core/format.js';
import {pipelineLink, taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {pipelineName, refreshed, steps} from '../data/pipelines.js';
import {ROW} from '../data/tasks.js';
import {card, empty, head, waiting, when} from '../parts/blocks.js';
import {badge, word} from '../parts/status.js';
import {shortName} from './workers.js';

/** @param {import('../core/router.js').Context} context */
export default async function overview({root, signal, live, title}) {
  title('Overview');
  const runs = h('div', {class: 'run-list'});
  const tasks = h('div', {class: 'row-list'});
  const machines = h('div', null);
  put(root, head({title: 'Overview'}), waiting(),
    h('div', {class: 'overview', hidden: true},
      h('div', null, card(['Pipelines', h('a', {class: 'all', href: '/pipelines'}, 'All')], runs), card(['Tasks', h('a', {class: 'all', href: '/projects/*/tasks'}, 'All')], tasks)),
      h('div', null, machines)));

  async function refresh() {
    const visible = {system_tags: ['-archived'], search_hidden: true, order_by: ['-last_update'], page: 0};
    const [latest, running, controllers, workers, queues] = await Promise.all([
      call('tasks.get_all', {...visible, type: ['-controller'], status: ['-created'], page_size: 10, only_fields: ROW}, {signal}),
      call('tasks.get_all', {...visible, status: ['in_progress', 'queued'], page_size: 30, only_fields: ROW}, {signal}),
      call('tasks.get_all', {...visible, type: ['controller'], system_tags: ['__$and', 'pipeline', '__$not', 'archived'], page_size: 5, only_fields: [...ROW, 'configuration.Pipeline', 'runtime']}, {signal}),
      call('workers.get_all', {}, {signal}),
      call('queues.get_all', {}, {signal}),
    ]);
    const live_ = running.tasks.filter((/** @type {any} */ task) => task.type !== 'controller');
    const rows = [...live_, ...latest.tasks.filter((/** @type {any} */ task) => !live_.some((/** @type {any} */ other) => other.id === task.id))].slice(0, 12);
    const graphs = await Promise.all(controllers.tasks.map(async (/** @type {any} */ run) => ({run, steps: (await refreshed(steps(run), signal)).steps})));
    await learn('project', [...rows, ...controllers.tasks].map((task) => task.project));
    root.querySelector('.waiting')?.remove();
    /** @type {any} */ (root.querySelector('.overview')).hidden = false;
    keyed(runs, graphs, ({run}) => run.id, runLine);
    if (!graphs.length) put(runs, empty('No pipeline has run yet.', ['Start one with ', h('code', null, 'sightline run configs/demo.yaml'), '.']));
    keyed(tasks, rows, (task) => task.id, taskLine);
    if (!rows.length) put(tasks, empty('No tasks yet.', 'Any ClearML script that uses this server makes one.'));
    put(machines, workerCard(workers.workers), queueCard(queues.queues, workers.workers));
  }
  await live(refresh, 3000);
}

/** @param {any} first */
function runLine(first) {
  const element = h('a', {class: 'run-line', href: pipelineLink(first.run)});
  element.update = (/** @type {any} */ {run, steps: found}) => {
    const {owner} = pipelineName(nameOf('project', run.project));
    const now = found.find((/** @type {any} */ step) => step.status === 'in_progress');
    put(element,
      h('div', {class: 'run-head'}, h('strong', null, run.name), h('span', {class: 'hint'}, owner), badge(run.status, run.status_reason),
        h('span', {class: 'hint grow'}, now ? now.name : ''), h('span', {class: 'hint'}, run.started ? duration(ran(run)) : ''), when(run.last_update)),
      h('div', {class: 'steps-strip'}, found.map((/** @type {any} */ step) => h('span', {data: {status: step.status}, title: `${step.name}: ${word(step.status)}`}, h('i', null), h('small', null, step.name)))));
  };
  element.update(first);
  return element;
}

/** @param {any} first */
function taskLine(first) {
  const element = h('a', {class: 'row-line', href: taskLink(first)});
  element.update = (/** @type {any} */ task) => put(element,
    badge(task.status, task.status_reason), h('span', {class: 'grow'}, h('strong', null, task.name), h('small', null, nameOf('project', task.project).replace('/.pipelines/', ' · '))),
    h('span', {class: 'hint'}, task.type.replaceAll('_', ' ')), h('span', {class: 'hint figure'}, task.started ? duration(ran(task)) : ''), h('span', {class: 'hint figure'}, when(task.last_update)));
  element.update(first);
  return element;
}

/** @param {any[]} workers */
function workerCard(workers) {
  return card(['Agents', h('a', {class: 'all', href: '/workers-and-queues'}, 'All')], workers.length
    ? workers.slice(0, 12).map((worker) => h('div', {class: 'row-line'}, h('i', {class: 'lamp', data: {on: worker.task ? 'busy' : 'idle'}, title: worker.task ? 'busy' : 'idle'}),
      h('span', {class: 'grow'}, h('strong', {title: worker.id}, shortName(worker.id)), worker.task && h('small', null, h('a', {href: taskLink(worker.task)}, worker.task.name))),
      h('span', {class: 'hint'}, worker.task ? 'busy' : 'idle')))
    : empty('No agents.', [h('code', null, 'sightline up'), ' starts one for each queue.']));
}

/**
 * @param {any[]} queues
 * @param {any[]} workers
 */
function queueCard(queues, workers) {
  return card('Queues', queues.map((queue) => {
    const served = workers.filter((worker) => (worker.queues ?? []).some((/** @type {any} */ one) => one.id === queue.id)).length;
    return h('a', {class: 'row-line', href: `/workers-and-queues?queue=${queue.id}`}, h('span', {class: 'grow'}, h('strong', null, queue.name)),
      h('span', {class: 'hint'}, served ? counted(served, 'agent') : 'no agent'), h('span', {class: 'count', data: {some: queue.entries?.length ? 'yes' : 'no'}}, queue.entries?.length ?? 0));
  }));
}
