/** One run of a pipeline: its graph, live, and what is behind the step that was chosen. */
import {h, put} from '../core/dom.js';
import {duration, number, ran} from '../core/format.js';
import {taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {go} from '../core/router.js';
import {graph, spent} from '../charts/graph.js';
import {pipelineName, refreshed, steps} from '../data/pipelines.js';
import {abort, acts, allowed, enqueue, getTask} from '../data/tasks.js';
import {call} from '../core/api.js';
import {card, chips, empty, facts, head, when} from '../parts/blocks.js';
import {menu} from '../parts/menu.js';
import {badge} from '../parts/status.js';
import {newRun} from './new-run.js';
import {ansi} from '../parts/ansi.js';

/** @param {import('../core/router.js').Context} context */
export default async function pipeline({root, params, query, signal, live, setQuery, title}) {
  /** @type {any} */
  let run;
  /** @type {import('../data/pipelines.js').Step[]} */
  let shown = [];
  /** @type {Map<string, any>} */
  let tasks = new Map();
  let chosen = query.get('step') ?? '';
  let drawn = '';
  const header = h('div', null);
  const side = h('aside', {class: 'side-panel', 'aria-label': 'Details'});
  const drawing = graph((name) => {
    chosen = chosen === name ? '' : name;
    setQuery({step: chosen || null});
    drawing.show(shown, chosen);
    describe();
  });
  put(root, header, h('div', {class: 'pipeline-body'}, drawing.element, side));

  /** @param {string} [how] */
  const changed = (how) => (how === 'deleted' ? go('/pipelines') : refresh());

  async function refresh() {
    run = await getTask(params.task, {signal, only: [
      'id', 'name', 'status', 'status_reason', 'status_message', 'started', 'completed', 'project', 'tags', 'system_tags', 'type', 'comment', 'runtime',
      'configuration.Pipeline', 'hyperparams.Args', 'hyperparams.properties', 'last_metrics', 'last_update', 'execution.queue', 'active_duration', 'user'] });
    await learn('project', [run.project]);
    ({steps: shown, tasks} = await refreshed(steps(run), signal));
    title(run.name);
    draw();
    drawing.show(shown, chosen);
    const none = drawing.element.querySelector('.empty');
    if (shown.length) none?.remove();
    else if (!none) drawing.element.append(empty('No graph yet.', 'The controller writes it when it starts.'));
    await describe();
  }

  function draw() {
    const ended = shown.filter((step) => ['completed', 'cached', 'published'].includes(step.status)).length;
    const text = JSON.stringify([run.status, run.name, run.tags, ended, shown.length, Math.floor(Date.now() / 5000)]);
    if (text === drawn || header.contains(document.querySelector('[aria-expanded=true]'))) return;
    drawn = text;
    const {owner, name} = pipelineName(nameOf('project', run.project));
    const may = allowed(run);
    put(header, head({
      crumbs: [{text: 'Pipelines', to: '/pipelines'}, {text: owner}, {text: name, to: `/pipelines/${run.project}/tasks`}],
      title: run.name,
      actions: [
        may.abort && h('button', {on: {click: () => abort([run], changed)}}, 'Abort'),
        ['stopped', 'failed', 'created'].includes(run.status) && h('button', {on: {click: () => enqueue([run], changed)}}, run.status === 'created' ? 'Enqueue' : 'Continue'),
        h('button', {class: 'primary', on: {click: () => newRun(run.id)}}, 'New run'),
        menu('More acts', () => acts(run, changed)),
      ],
      below: [
        h('div', {class: 'meta'}, badge(run.status, run.status_reason), run.started && h('span', null, duration(ran(run))),
          shown.length > 0 && h('span', null, `${ended} of ${shown.length} steps`),
          shown.length > 0 && h('progress', {max: shown.length, value: ended, 'aria-label': 'Steps that are done'}),
          h('span', null, 'updated ', when(run.last_update)), run.runtime?.version && h('span', null, `version ${run.runtime.version}`), chips(run.tags),
          h('a', {href: taskLink(run, 'console')}, 'Console'), h('a', {href: taskLink(run, 'plots')}, 'Plots'), h('a', {href: taskLink(run, 'artifacts')}, 'Artifacts')),
        (run.status_message || run.status_reason) && ['failed', 'stopped'].includes(run.status)
          && h('p', {class: 'reason', data: {status: run.status}}, [run.status_reason, run.status_message].filter(Boolean).join(' · ')),
      ],
    }));
  }

  let described = '';
  async function describe() {
    const step = shown.find((one) => one.name === chosen);
    const task = step && tasks.get(step.task);
    const log = task && (step.status === 'in_progress' || step.status === 'failed' || step.status === 'completed') ? await tail(task.id) : [];
    const text = JSON.stringify([step, task, log, run.status, run.comment, step ? '' : run.hyperparams, Math.floor(Date.now() / 5000)]);
    if (text === described || signal.aborted) return;
    described = text;
    put(side, step ? stepDetails(step, task, log) : runDetails());
  }

  /** @param {string} id */
  async function tail(id) {
    const {events} = await call('events.get_task_log', {task: id, batch_size: 5, navigate_earlier: true}, {signal});
    return events.sort((/** @type {any} */ a, /** @type {any} */ b) => a.timestamp - b.timestamp)
      .flatMap((/** @type {any} */ event) => String(event.msg ?? '').trimEnd().split('\n')).slice(-14);
  }

  function runDetails() {
    const args = Object.values(run.hyperparams?.Args ?? {}).filter((/** @type {any} */ arg) => !arg.name.startsWith('_'));
    return [
      run.comment && card('About', h('p', {class: 'lines'}, run.comment)),
      card('Parameters', args.length ? facts(args.map((/** @type {any} */ arg) => [arg.name, h('code', null, arg.value)])) : h('p', {class: 'hint'}, 'None.')),
      metricsCard(run),
      h('p', {class: 'hint'}, 'Choose a step to see what is behind it.'),
    ];
  }

  /**
   * @param {import('../data/pipelines.js').Step} step
   * @param {any} task
   * @param {string[]} log
   */
  function stepDetails(step, task, log) {
    const parameters = Object.entries(step.parameters);
    return [
      card(step.name, h('div', {class: 'meta'}, badge(step.status, task?.status_reason), h('span', null, spent(step))),
        task && (task.status_message || task.status_reason) && ['failed', 'stopped'].includes(task.status)
          && h('p', {class: 'reason', data: {status: task.status}}, [task.status_reason, task.status_message].filter(Boolean).join(' · ')),
        facts([['Type', step.type.replaceAll('_', ' ')], ['Queue', nameOf('queue', step.queue) || step.queue], ['After', step.parents.join(', ')]]),
        task && h('div', {class: 'links'}, ['scalars', 'plots', 'samples', 'console', 'configuration', 'artifacts'].map((tab) => h('a', {class: 'button small', href: taskLink(task, tab)}, tab)))),
      task && metricsCard(task),
      log.length > 0 && card('Console', h('pre', {class: 'tail', tabindex: '0'}, log.map((line) => [ansi(line), '\n']))),
      parameters.length > 0 && card('Parameters', facts(parameters.map(([name, value]) => [name, h('code', null, String(value))]))),
    ];
  }

  await live(refresh, 2500);
}

/** @param {any} task */
function metricsCard(task) {
  const rows = Object.values(task.last_metrics ?? {}).flatMap((variants) => Object.values(/** @type {any} */ (variants)))
    .filter((/** @type {any} */ entry) => !entry.metric.startsWith(':'))
    .sort((/** @type {any} */ a, /** @type {any} */ b) => Number(b.metric === 'Summary') - Number(a.metric === 'Summary'))
    .slice(0, 14);
  return rows.length > 0 && card('Figures', facts(rows.map((/** @type {any} */ entry) => [
    entry.metric === 'Summary' ? entry.variant : `${entry.metric} · ${entry.variant}`, h('b', {title: String(entry.value)}, number(entry.value))])));
}
