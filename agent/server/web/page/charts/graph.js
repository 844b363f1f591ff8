/** A pipeline as a graph: boxes with status, edges that show what has been handed on. */
import {h, put, s} from '../core/dom.js';
import {duration} from '../core/format.js';
import {badge, word} from '../parts/status.js';
import {layers} from './layers.js';

const WIDE = 196;
const TALL = 74;
const GAP = {x: 56, y: 22};

/**
 * @param {(name: string) => void} choose called with a step's name
 */
export function graph(choose) {
  const edges = s('svg', {class: 'edges', 'aria-hidden': 'true'});
  const boxes = h('div', {class: 'boxes'});
  const canvas = h('div', {class: 'graph-canvas'}, edges, boxes);
  const element = h('div', {class: 'graph', role: 'group', 'aria-label': 'Steps of the pipeline'}, canvas);
  let shape = '';

  return {
    element,
    /**
     * @param {import('../data/pipelines.js').Step[]} steps
     * @param {string} chosen
     */
    show(steps, chosen) {
      const text = JSON.stringify(steps.map((step) => [step.name, step.parents]));
      if (text !== shape) {
        shape = text;
        build(steps);
      }
      for (const step of steps) {
        const box = /** @type {any} */ (boxes.querySelector(`[data-step="${CSS.escape(step.name)}"]`));
        box?.update(step, step.name === chosen);
        for (const edge of edges.querySelectorAll(`[data-from="${CSS.escape(step.name)}"]`)) edge.dataset.status = step.status;
      }
    },
  };

  /** @param {import('../data/pipelines.js').Step[]} steps */
  function build(steps) {
    const placed = layers(steps);
    const at = new Map(placed.map(({step, column, row}) => [step.name, {x: column * (WIDE + GAP.x) + 16, y: row * (TALL + GAP.y) + 16}]));
    const width = Math.max(...placed.map(({column}) => column + 1), 1) * (WIDE + GAP.x) - GAP.x + 32;
    const height = Math.max(...placed.map(({row}) => row + 1), 1) * (TALL + GAP.y) - GAP.y + 32;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    edges.setAttribute('viewBox', `0 0 ${width} ${height}`);
    edges.setAttribute('width', width);
    edges.setAttribute('height', height);
    put(edges, steps.flatMap((step) => step.parents.map((parent) => {
      const from = at.get(parent);
      const to = at.get(step.name);
      if (!from || !to) return null;
      const [x0, y0, x1, y1] = [from.x + WIDE, from.y + TALL / 2, to.x, to.y + TALL / 2];
      const bend = Math.max(24, (x1 - x0) / 2);
      return s('path', {d: `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}`, data: {from: parent}});
    })));
    put(boxes, placed.sort((a, b) => a.column - b.column || a.row - b.row).map(({step}) => box(step, /** @type {any} */ (at.get(step.name)))));
  }

  /**
   * @param {import('../data/pipelines.js').Step} first
   * @param {{x: number, y: number}} place
   */
  function box(first, place) {
    const line = h('div', {class: 'box-line'});
    const button = h('button', {type: 'button', class: 'box', data: {step: first.name}, style: {left: `${place.x}px`, top: `${place.y}px`, width: `${WIDE}px`, height: `${TALL}px`},
      on: {click: () => choose(first.name)}}, h('strong', {title: first.name}, first.name), line);
    button.update = (/** @type {import('../data/pipelines.js').Step} */ step, /** @type {boolean} */ chosen) => {
      button.dataset.status = step.status;
      button.setAttribute('aria-pressed', String(chosen));
      button.setAttribute('aria-label', `${step.name}, ${word(step.status)}`);
      put(line, badge(step.status), h('span', null, spent(step)));
    };
    return button;
  }
}

/** @param {import('../data/pipelines.js').Step} step */
export function spent(step) {
  if (!step.started || ['cached', 'skipped', 'pending', 'queued'].includes(step.status)) return '';
  return duration((step.ended ?? Date.now() / 1000) - step.started);
}
