/** The curves of a task, a chart for each metric, and its single values. */
import {h, keyed, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {number} from '../core/format.js';
import {lineChart} from '../charts/line.js';
import {card, empty, waiting} from '../parts/blocks.js';
import {select} from '../parts/dialog.js';
import {ENDED} from '../parts/status.js';

/** @param {any} context */
export default async function scalars(context) {
  const {root, params, query, signal, live, setQuery} = context;
  const singles = h('div', null);
  const grid = h('div', {class: 'charts'});
  const look = {
    axis: query.get('x') ?? 'iter',
    smooth: Number(query.get('smooth') ?? 0),
    log: query.has('log'),
  };
  /** @type {Map<string, any>} */
  const charts = new Map();
  const axis = select({'aria-label': 'Horizontal axis', on: {change: () => change({axis: axis.value})}}, [
    {value: 'iter', text: 'By iteration'}, {value: 'timestamp', text: 'By time'}, {value: 'relative', text: 'By time since the start'}], look.axis);
  const smooth = h('input', {type: 'range', min: '0', max: '0.98', step: '0.02', value: String(look.smooth), 'aria-label': 'Smoothing',
    on: {input: () => change({smooth: Number(smooth.value)})}});
  const log = h('input', {type: 'checkbox', checked: look.log, on: {change: () => change({log: log.checked})}});
  put(root,
    h('div', {class: 'filters'}, axis, h('label', {class: 'tick'}, 'Smoothing', smooth), h('label', {class: 'tick'}, log, 'Logarithmic')),
    singles, grid, waiting());

  /** @param {Partial<typeof look>} changes */
  function change(changes) {
    const again = changes.axis !== undefined;
    Object.assign(look, changes);
    setQuery({x: look.axis === 'iter' ? null : look.axis, smooth: look.smooth ? String(look.smooth) : null, log: look.log ? '1' : null});
    if (again) refresh();
    else for (const chart of charts.values()) chart.look(look);
  }

  async function refresh() {
    const [curves, values] = await Promise.all([
      call('events.scalar_metrics_iter_histogram', {task: params.task, key: look.axis === 'iter' ? 'iter' : 'timestamp', samples: 2000}, {signal}),
      call('events.get_task_single_value_metrics', {tasks: [params.task]}, {signal}),
    ]);
    root.querySelector('.waiting')?.remove();
    const found = values.tasks[0]?.values ?? [];
    put(singles, found.length > 0 && card('Single values', h('dl', {class: 'singles'}, found.map((/** @type {any} */ one) => (
      h('div', null, h('dt', {title: one.metric}, one.variant), h('dd', {title: String(one.value)}, number(one.value))))))));
    const names = Object.keys(curves).sort((a, b) => Number(a.startsWith(':')) - Number(b.startsWith(':')) || a.localeCompare(b));
    keyed(grid, names, (name) => name, (name) => {
      const chart = lineChart(name, look);
      charts.set(name, chart);
      return chart.element;
    });
    for (const name of names) {
      const lines = Object.entries(curves[name]).map(([label, /** @type {any} */ curve]) => ({label, x: xs(curve.x), y: curve.y}));
      charts.get(name).show(lines, look);
    }
    const none = root.querySelector('.empty');
    if (names.length || found.length) none?.remove();
    else if (!none) root.append(empty('No scalars yet.', ENDED.has(context.task().status) ? 'The task has reported none.' : 'They appear here as the task reports them.'));
  }

  /** @param {number[]} values */
  function xs(values) {
    if (look.axis !== 'relative') return values;
    const start = Date.parse(context.task().started ?? '') || values[0];
    return values.map((value) => (value - start) / 1000);
  }

  await live(refresh, 4000);
}
