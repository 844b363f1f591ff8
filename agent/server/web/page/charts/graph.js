/** A pipeline as a graph: boxes with status, edges that show what has been handed on. */
import {h, put, s} from '../core/dom.js';
import {duration} from '../core/format.js';
import {badge, word} from '../parts/status.js';
import {direct, layers} from './layers.js';

// Pixels: a box, the room between boxes along and across the flow, and the room around all.
const WIDE = 196;
const TALL = 66;
const GAP = 48;
const FALL = 26;
const SIDE = 22;
const EDGE = 18;

/**
 * @param {(name: string) => void} choose called with a step's name
 */
export function graph(choose) {
  const edges = s('svg', {class: 'edges', 'aria-hidden': 'true'});
  const boxes = h('div', {class: 'boxes'});
  const canvas = h('div', {class: 'graph-canvas'}, edges, boxes);
  const element = h('div', {class: 'graph', role: 'group', 'aria-label': 'Steps of the pipeline'}, canvas);
  let shape = '';
  let steps_ = /** @type {import('../data/pipelines.js').Step[]} */ ([]);
  let chosen_ = '';
  new ResizeObserver(() => { if (steps_.length) show(steps_, chosen_); }).observe(element);

  return {element, show};

  /**
   * @param {import('../data/pipelines.js').Step[]} steps
   * @param {string} chosen
   */
  function show(steps, chosen) {
    [steps_, chosen_] = [steps, chosen];
    const deepest = Math.max(0, ...layers(steps).map(({column}) => column + 1));
    // From left to right where there is room, otherwise from top to bottom.
    const down = deepest * (WIDE + GAP) - GAP + 52 > element.clientWidth;
    const text = JSON.stringify([down, steps.map((step) => [step.name, step.parents])]);
    if (text !== shape) {
      shape = text;
      build(steps, down);
    }
    for (const step of steps) {
      const box = /** @type {any} */ (boxes.querySelector(`[data-step="${CSS.escape(step.name)}"]`));
      box?.update(step, step.name === chosen);
      for (const edge of edges.querySelectorAll(`[data-from="${CSS.escape(step.name)}"]`)) edge.dataset.status = step.status;
    }
  }

  /**
   * @param {import('../data/pipelines.js').Step[]} steps
   * @param {boolean} down
   */
  function build(steps, down) {
    const placed = layers(steps);
    const [along, across] = down ? [TALL + FALL, WIDE + SIDE] : [WIDE + GAP, TALL + SIDE];
    const at = new Map(placed.map(({step, column, row}) => [step.name, down
      ? {x: row * across + EDGE, y: column * along + EDGE}
      : {x: column * along + EDGE, y: row * across + EDGE}]));
    const width = Math.max(0, ...[...at.values()].map(({x}) => x)) + WIDE + EDGE;
    const height = Math.max(0, ...[...at.values()].map(({y}) => y)) + TALL + EDGE;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    edges.setAttribute('viewBox', `0 0 ${width} ${height}`);
    edges.setAttribute('width', width);
    edges.setAttribute('height', height);
    put(edges, steps.flatMap((step) => direct(step, steps).map((parent) => {
      const from = at.get(parent);
      const to = at.get(step.name);
      if (!from || !to) return null;
      return s('path', {d: down ? fall(from, to) : flow(from, to), data: {from: parent}});
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

/**
 * @typedef {{x: number, y: number}} Point the upper left corner of a box
 * @param {Point} from
 * @param {Point} to
 */
function flow(from, to) {
  const [x0, y0, x1, y1] = [from.x + WIDE, from.y + TALL / 2, to.x, to.y + TALL / 2];
  const bend = Math.max(24, (x1 - x0) / 2);
  return `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}`;
}

/**
 * @param {Point} from
 * @param {Point} to
 */
function fall(from, to) {
  const [x0, y0, x1, y1] = [from.x + WIDE / 2, from.y + TALL, to.x + WIDE / 2, to.y];
  // An edge over several rows goes around the boxes between.
  if (y1 - y0 > TALL && Math.abs(x1 - x0) < WIDE / 2) {
    const out = Math.max(x0, x1) + WIDE / 2 + 14;
    return `M${x0 + WIDE / 4} ${y0}C${out} ${y0 + 16} ${out} ${y0 + 30} ${out} ${y0 + 46}V${y1 - 46}C${out} ${y1 - 30} ${out} ${y1 - 16} ${x1 + WIDE / 4} ${y1}`;
  }
  const bend = Math.max(14, (y1 - y0) / 2);
  return `M${x0} ${y0}C${x0} ${y0 + bend} ${x1} ${y1 - bend} ${x1} ${y1}`;
}

/** @param {import('../data/pipelines.js').Step} step */
export function spent(step) {
  if (!step.started || ['cached', 'skipped', 'pending', 'queued'].includes(step.status)) return '';
  return duration((step.ended ?? Date.now() / 1000) - step.started);
}
