/** NEW RUN: the pipeline's parameters with their last values, a queue, and off it goes. */
import {h} from '../core/dom.js';
import {call} from '../core/api.js';
import {pipelineLink} from '../core/links.js';
import {go} from '../core/router.js';
import {getTask, queueChoices} from '../data/tasks.js';
import {ask, field, select} from '../parts/dialog.js';
import {attempt, toast} from '../parts/toast.js';

const PATTERNS = {
  int: {pattern: '[+\\-]?[0-9]+', title: 'A whole number'},
  float: {pattern: '[+\\-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+\\-]?[0-9]+)?', title: 'A number'},
};

/**
 * Ask for the parameters of a new run and start it.
 * @param {string} from the run whose code and values are taken
 */
export async function newRun(from) {
  const read = await attempt(async () => {
    const [task, queues] = await Promise.all([getTask(from, {only: ['name', 'hyperparams.Args', 'execution.queue', 'project', 'status']}), queueChoices()]);
    return {task, queues};
  });
  if (!read) return;
  const {task, queues} = read;
  const args = Object.values(task.hyperparams?.Args ?? {}).filter((/** @type {any} */ arg) => !arg.name.startsWith('_'));
  const services = queues.find((/** @type {any} */ one) => one.text === 'services')?.value;
  const queue = select({name: 'queue'}, queues, task.execution?.queue || services);
  const inputs = new Map(args.map((/** @type {any} */ arg) => [arg.name, control(arg)]));
  const started = await ask({
    title: `New run of ${task.name.replace(/( #\d+)+$/, '')}`,
    body: h('div', {class: 'new-run'},
      args.length ? args.map((/** @type {any} */ arg) => field(arg.name, inputs.get(arg.name), arg.description)) : h('p', {class: 'hint'}, 'This pipeline has no parameters.'),
      field('Queue', queue, 'Of the controller; its steps go to their own.')),
    act: 'Run',
    done: () => call('pipelines.start_pipeline', {
      task: from, queue: queue.value, verify_watched_queue: true,
      args: args.map((/** @type {any} */ arg) => ({name: arg.name, value: valueOf(inputs.get(arg.name))})),
    }),
  });
  if (!started) return;
  if (started.queue_watched === false) toast(`Queued on ${queue.selectedOptions[0].textContent}, which no agent serves.`, {kind: 'problem'});
  else toast('Started.');
  go(pipelineLink({id: started.pipeline, project: task.project}));
}

/** @param {any} arg */
function control(arg) {
  const value = String(arg.value ?? '');
  if (arg.type === 'bool' && ['true', 'false'].includes(value.toLowerCase())) return h('input', {type: 'checkbox', name: arg.name, checked: value.toLowerCase() === 'true'});
  if (value.includes('\n')) return h('textarea', {name: arg.name, rows: 4, value, spellcheck: 'false'});
  const limits = PATTERNS[/** @type {'int' | 'float'} */ (arg.type)];
  const fits = limits && new RegExp(`^(?:${limits.pattern})$`).test(value);
  return h('input', {name: arg.name, value, spellcheck: 'false', autocomplete: 'off', ...(fits ? limits : {})});
}

/** @param {any} input */
function valueOf(input) {
  return input.type === 'checkbox' ? (input.checked ? 'True' : 'False') : input.value;
}
