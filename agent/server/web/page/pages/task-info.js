/** When, by whom, and after what. */
import {h, put} from '../core/dom.js';
import {duration, exact, number, ran} from '../core/format.js';
import {taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {chips, copyable, card, facts} from '../parts/blocks.js';
import {word} from '../parts/status.js';

/** @param {any} context */
export default async function info(context) {
  const {root} = context;
  const first = context.task();
  await learn('task', [first.parent]);
  const draw = (/** @type {any} */ task) => put(root,
    card('About', facts([
      ['Comment', task.comment && h('span', {class: 'lines'}, task.comment)], ['Id', copyable(task.id)], ['Type', task.type], ['Project', nameOf('project', task.project)],
      ['User', nameOf('user', task.user)], ['Tags', task.tags?.length ? chips(task.tags) : ''], ['System tags', task.system_tags?.length ? chips(task.system_tags) : ''],
      ['Parent', task.parent && h('a', {href: taskLink({id: task.parent})}, nameOf('task', task.parent) || task.parent)]])),
    card('Life', facts([
      ['Status', word(task.status)], ['Because', [task.status_reason, task.status_message].filter(Boolean).join(' · ')], ['Made', exact(task.created)],
      ['Started', task.started && exact(task.started)], ['Ended', task.completed && exact(task.completed)], ['Published', task.published && exact(task.published)],
      ['Ran', duration(ran(task))], ['Last iteration', number(task.last_iteration)], ['Last report', exact(task.last_update)], ['Worker', task.last_worker]])));
  draw(first);
  context.onTask(draw);
}
