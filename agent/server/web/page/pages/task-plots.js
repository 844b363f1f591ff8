/** The plots of a task: the last of each, or those of earlier iterations. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {plotFrame, selfContained} from '../charts/plots.js';
import {empty, waiting} from '../parts/blocks.js';

/** @param {any} context */
export default async function plots(context) {
  const {root, params, signal, live} = context;
  const frame = plotFrame(signal);
  const filter = h('input', {type: 'search', placeholder: 'Filter plots', 'aria-label': 'Filter plots', on: {input: () => show()}});
  put(root, h('div', {class: 'filters'}, filter), waiting(), frame.element);
  /** @type {any[]} */
  let found = [];

  async function refresh() {
    const answer = await call('events.get_task_plots', {task: params.task, iters: 1}, {signal});
    found = await Promise.all(answer.plots.map(async (/** @type {any} */ plot) => ({...plot, plot_str: await inside(plot.plot_str)})));
    root.querySelector('.waiting')?.remove();
    show();
  }

  /** @param {string} text */
  async function inside(text) {
    try {
      return await selfContained(text, signal);
    } catch {
      return text;
    }
  }

  function show() {
    const wanted = filter.value.trim().toLowerCase();
    frame.show(found
      .map((plot) => ({
        id: `${plot.metric}\n${plot.variant}`,
        title: plot.metric === plot.variant ? plot.metric : `${plot.metric} · ${plot.variant}`,
        note: `iteration ${plot.iter}`,
        text: plot.plot_str,
      }))
      .filter((plot) => plot.title.toLowerCase().includes(wanted)));
    const none = root.querySelector('.empty');
    frame.element.hidden = !found.length;
    if (found.length) none?.remove();
    else if (!none) root.append(empty('No plots yet.'));
  }

  await live(refresh, 8000);
}
