/** Tasks side by side: their curves in common charts, and what differs in their parameters. */
import {h, keyed, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {number} from '../core/format.js';
import {taskLink} from '../core/links.js';
import {lineChart} from '../charts/line.js';
import {card, empty, head, waiting} from '../parts/blocks.js';
import {select} from '../parts/dialog.js';
import {badge} from '../parts/status.js';

/** @param {import('../core/router.js').Context} context */
export default async function compare({root, params, query, signal, live, setQuery, title}) {
  const ids = params.ids.replace(/^ids=/, '').split(',').filter(Boolean);
  title('Comparison');
  const look = {axis: query.get('x') ?? 'iter', smooth: Number(query.get('smooth') ?? 0), log: query.has('log')};
  /** @type {Map<string, any>} */
  const charts = new Map();
  const grid = h('div', {class: 'charts'});
  const differences = h('div', null);
  const axis = select({'aria-label': 'Horizontal axis', on: {change: () => { look.axis = axis.value; setQuery({x: axis.value === 'iter' ? null : axis.value}); refresh(); }}},
    [{value: 'iter', text: 'By iteration'}, {value: 'timestamp', text: 'By time'}], look.axis);
  const smooth = h('input', {type: 'range', min: '0', max: '0.98', step: '0.02', value: String(look.smooth), 'aria-label': 'Smoothing', on: {input: () => again({smooth: Number(smooth.value)})}});
  const log = h('input', {type: 'checkbox', checked: look.log, on: {change: () => again({log: log.checked})}});
  const all = h('input', {type: 'checkbox', on: {change: refresh}});
  put(root, head({crumbs: [{text: 'Projects', to: '/projects'}, {text: 'Tasks', to: `/projects/${params.project}/tasks`}], title: `${ids.length} tasks side by side`}), waiting(),
    h('div', {class: 'filters'}, axis, h('label', {class: 'tick'}, 'Smoothing', smooth), h('label', {class: 'tick'}, log, 'Logarithmic'), h('label', {class: 'tick'}, all, 'Equal parameters too')), differences, grid);

  /** @param {Partial<typeof look>} changes */
  function again(changes) {
    Object.assign(look, changes);
    setQuery({smooth: look.smooth ? String(look.smooth) : null, log: look.log ? '1' : null});
    for (const chart of charts.values()) chart.look(look);
  }

  async function refresh() {
    const [{tasks: found}, curves] = await Promise.all([
      call('tasks.get_all', {id: ids, search_hidden: true, only_fields: ['id', 'name', 'status', 'project', 'hyperparams', 'last_metrics']}, {signal}),
      call('events.multi_task_scalar_metrics_iter_histogram', {tasks: ids, key: look.axis, samples: 1500}, {signal}),
    ]);
    root.querySelector('.waiting')?.remove();
    const tasks = ids.map((id) => found.find((/** @type {any} */ task) => task.id === id)).filter(Boolean);
    put(differences, tables(tasks, all.checked));
    const names = Object.keys(curves).filter((name) => !name.startsWith(':')).flatMap((metric) => Object.keys(curves[metric]).map((variant) => `${metric} / ${variant}`)).sort();
    keyed(grid, names, (name) => name, (name) => {
      const chart = lineChart(name, look);
      charts.set(name, chart);
      return chart.element;
    });
    for (const metric of Object.keys(curves)) {
      for (const [variant, byTask] of Object.entries(curves[metric])) {
        const lines = tasks.flatMap((task, hue) => {
          const curve = /** @type {any} */ (byTask)[task.id];
          return curve ? [{label: tasks.some((other) => other !== task && other.name === task.name) ? `${task.name} (${task.id.slice(0, 6)})` : task.name, x: curve.x, y: curve.y, hue}] : [];
        });
        charts.get(`${metric} / ${variant}`)?.show(lines, look);
      }
    }
    const none = root.querySelector('.empty');
    if (tasks.length) none?.remove();
    else if (!none) root.append(empty('None of these tasks is here.'));
  }
  await live(refresh, 6000);
}

/**
 * @param {any[]} tasks
 * @param {boolean} all
 */
function tables(tasks, all) {
  const parameters = tasks.map((task) => new Map(Object.entries(task.hyperparams ?? {}).flatMap(([section, items]) => Object.values(/** @type {any} */ (items)).map((/** @type {any} */ item) => [`${section}/${item.name}`, String(item.value ?? '')]))));
  const metrics = tasks.map((task) => new Map(Object.values(task.last_metrics ?? {}).flatMap((variants) => Object.values(/** @type {any} */ (variants))).filter((entry) => !entry.metric.startsWith(':')).map((/** @type {any} */ entry) => [`${entry.metric} / ${entry.variant}`, number(entry.value)])));
  return [
    block('Last values', tasks, metrics, true),
    block(all ? 'Parameters' : 'Parameters that differ', tasks, parameters, all),
  ];
}

/**
 * @param {string} heading
 * @param {any[]} tasks
 * @param {Map<any, any>[]} values
 * @param {boolean} all
 */
function block(heading, tasks, values, all) {
  const names = [...new Set(values.flatMap((one) => [...one.keys()]))].sort()
    .filter((name) => all || new Set(values.map((one) => one.get(name))).size > 1);
  return card(heading, names.length ? h('div', {class: 'table-frame flat'}, h('table', {class: 'compare'},
    h('thead', null, h('tr', null, h('th', null, h('span', {class: 'unseen'}, 'Name')), tasks.map((task, hue) => h('th', {scope: 'col'}, h('i', {class: 'swatch', style: {background: `var(--line-${hue % 8})`}}), h('a', {href: taskLink(task)}, task.name), ' ', badge(task.status))))),
    h('tbody', null, names.map((name) => h('tr', {class: new Set(values.map((one) => one.get(name))).size > 1 ? 'differs' : null}, h('th', {scope: 'row'}, name), values.map((one) => h('td', null, one.get(name) ?? '–'))))))) : h('p', {class: 'hint'}, 'None.'));
}
