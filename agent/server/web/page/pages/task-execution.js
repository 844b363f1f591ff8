/** Where a task's code comes from, and what it runs in. */
import {h, put} from '../core/dom.js';
import {getTask} from '../data/tasks.js';
import {nameOf, learn} from '../core/names.js';
import {card, copyable, empty, facts, waiting} from '../parts/blocks.js';

/** @param {any} context */
export default async function execution(context) {
  const {root, params, signal} = context;
  put(root, waiting());
  const task = await getTask(params.task, {only: ['script', 'container', 'execution.queue', 'output', 'runtime'], signal});
  await learn('queue', [task.execution?.queue]);
  const {script = {}, container = {}} = task;
  const fold = (/** @type {string} */ title, /** @type {any} */ text) => text
    && h('details', {class: 'card fold'}, h('summary', null, title), h('div', {class: 'fold-body'}, h('pre', {tabindex: '0'}, text)));
  put(root,
    card('Source', facts([
      ['Repository', script.repository && copyable(script.repository)], ['Commit', script.version_num && copyable(script.version_num)], ['Branch', script.branch], ['Tag', script.tag],
      ['Entry point', script.entry_point && copyable(script.entry_point)], ['Working folder', script.working_dir], ['Interpreter', script.binary]])),
    card('Runs in', facts([['Queue', nameOf('queue', task.execution?.queue)], ['Image', container.image], ['Arguments', container.arguments], ['Output goes to', task.output?.destination]])),
    fold('Uncommitted changes', script.diff),
    fold('Installed packages', script.requirements?.pip),
    fold('Set-up script', container.setup_shell_script),
    fold('Runtime properties', Object.keys(task.runtime ?? {}).length && JSON.stringify(task.runtime, null, 2)),
    !script.entry_point && !script.repository && empty('This task has no code yet.'));
}
