/** One task: its head, and a tab for each side of it. */
import {h, put} from '../core/dom.js';
import {duration, number, ran} from '../core/format.js';
import {pipelineLink, taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {go} from '../core/router.js';
import {acts, allowed, clone, enqueue, abort, getTask} from '../data/tasks.js';
import {chips, copyable, head, when} from '../parts/blocks.js';
import {menu} from '../parts/menu.js';
import {badge} from '../parts/status.js';
import {tabs} from '../parts/tabs.js';
import {projectCrumbs} from './project-head.js';

/** @type {{id: string, text: string, load: () => Promise<any>}[]} */
const TABS = [
  {id: 'scalars', text: 'Scalars', load: () => import('./task-scalars.js')},
  {id: 'plots', text: 'Plots', load: () => import('./task-plots.js')},
  {id: 'samples', text: 'Debug samples', load: () => import('./task-samples.js')},
  {id: 'console', text: 'Console', load: () => import('./task-console.js')},
  {id: 'configuration', text: 'Configuration', load: () => import('./task-configuration.js')},
  {id: 'artifacts', text: 'Artifacts', load: () => import('./task-artifacts.js')},
  {id: 'execution', text: 'Execution', load: () => import('./task-execution.js')},
  {id: 'info', text: 'Info', load: () => import('./task-info.js')},
];

/** The names that ClearML's web application has for the same tabs. */
const ALIASES = new Map(Object.entries({
  'output/log': 'console',
  'info-output/log': 'console',
  'info-output/metrics/scalar': 'scalars',
  'output/metrics/scalar': 'scalars',
  'info-output/metrics/plots': 'plots',
  'output/metrics/plots': 'plots',
  'info-output/debugImages': 'samples',
  'output/debugImages': 'samples',
  'hyper-params': 'configuration',
  general: 'info',
  'artifacts/output-model': 'artifacts',
}));

/** The fields that the head and the tabs read, all of which may change while the task runs. */
const LIVE = [
  'id', 'name', 'type', 'status', 'status_reason', 'status_message', 'status_changed', 'project', 'user', 'tags', 'system_tags',
  'comment', 'parent', 'started', 'completed', 'created', 'published', 'last_update', 'last_change', 'last_iteration', 'last_worker', 'active_duration',
  'runtime', 'execution.queue',
];

/** @param {import('../core/router.js').Context} context */
export default async function task(context) {
  const {root, params, signal, live, title} = context;
  const wanted = params.rest.replace(/\/$/, '');
  const alias = [...ALIASES].find(([known]) => wanted === known || wanted.startsWith(`${known}/`));
  const id = alias ? alias[1] : wanted.split('/')[0];
  const tab = TABS.find((one) => one.id === id) ?? TABS[0];
  let now = await getTask(params.task, {only: LIVE, signal});
  await Promise.all([learn('project', [now.project]), learn('user', [now.user]), learn('queue', [now.execution?.queue])]);
  title(now.name);
  const header = h('div', null);
  const body = h('div', {class: 'tab-body'});
  put(root, header, body);
  let drawn = '';

  /** @param {string} [how] */
  const changed = (how) => (how === 'deleted' ? go(now.project ? `/projects/${now.project}/tasks` : '/projects') : refresh());
  async function refresh() {
    now = await getTask(params.task, {only: LIVE, signal});
    draw();
    for (const listener of listeners) listener(now);
  }

  function draw() {
    const {id: _, last_update, last_change, ...rest} = now;
    const text = JSON.stringify(rest) + Math.floor(Date.now() / 5000) * Number(now.status === 'in_progress');
    if (text === drawn || header.contains(document.querySelector('[aria-expanded=true]'))) return;
    drawn = text;
    const may = allowed(now);
    const pipeline = now.type === 'controller' && now.system_tags?.includes('pipeline');
    const progress = Number(now.runtime?.progress);
    put(header, head({
      crumbs: [...projectCrumbs(now.project), {text: nameOf('project', now.project).split('/').pop() ?? '', to: `/projects/${now.project ?? '*'}/tasks`}],
      title: now.name,
      actions: [
        pipeline && h('a', {class: 'button', href: pipelineLink(now)}, 'Pipeline'),
        may.abort && h('button', {on: {click: () => abort([now], changed)}}, 'Abort'),
        may.enqueue && h('button', {class: may.edit ? 'primary' : null, on: {click: () => enqueue([now], changed)}}, 'Enqueue'),
        h('button', {on: {click: () => clone(now)}}, 'Clone'),
        menu('More acts', () => acts(now, changed)),
      ],
      below: [
        h('div', {class: 'meta'},
          badge(now.status, now.status_reason),
          h('span', null, now.type.replaceAll('_', ' ')),
          now.started && h('span', {title: 'How long it has run'}, duration(ran(now))),
          h('span', {title: 'Last iteration'}, `iteration ${number(now.last_iteration)}`),
          now.status === 'in_progress' && progress > 0 && h('progress', {max: '100', value: progress, 'aria-label': 'Progress'}),
          h('span', null, 'updated ', when(now.last_update)),
          chips(now.tags), copyable(now.id)),
        (now.status_message || now.status_reason) && ['failed', 'stopped'].includes(now.status)
          && h('p', {class: 'reason', data: {status: now.status}}, [now.status_reason, now.status_message].filter(Boolean).join(' · ')),
        tabs('Of this task', TABS.map((one) => ({id: one.id, text: one.text, to: taskLink(now, one.id)})), tab.id),
      ],
    }));
  }

  /** @type {((task: any) => void)[]} */
  const listeners = [];
  draw();
  const module = await tab.load();
  if (signal.aborted) return;
  await module.default({...context, root: body, task: () => now, onTask: (/** @type {any} */ listener) => listeners.push(listener), changed});
  await live(refresh, 3000);
}
