/** A chart of curves on a canvas: thousands of points stay light; hovering reads values off. */
import {h, put} from '../core/dom.js';
import {exact, number} from '../core/format.js';
import {logTicks, smoothed, ticks, tickText, xText} from './scale.js';

const COLOURS = 8;
const HEIGHT = 240;
const PAD = {left: 52, right: 14, top: 10, bottom: 24};

/**
 * @typedef {{label: string, x: number[], y: (number | null)[], hue?: number}} Line
 * @typedef {{axis: string, smooth: number, log: boolean}} Look
 */

/**
 * @param {string} title
 * @param {Look} first
 */
export function lineChart(title, first) {
  const canvas = h('canvas', {role: 'img', tabindex: '0', 'aria-label': title});
  const tip = h('div', {class: 'chart-tip', hidden: true});
  const legend = h('div', {class: 'legend'});
  const stage = h('div', {class: 'chart-stage'}, canvas, tip);
  const element = h('figure', {class: 'card chart'}, h('figcaption', null, title), stage, legend);
  /** @type {Line[]} */
  let lines = [];
  /** @type {Look} */
  let look = first;
  /** @type {Set<string>} */
  const off = new Set();
  /** @type {{x: [number, number], y: [number, number]} | null} */
  let zoom = null;
  /** @type {number | null} */
  let pointed = null;
  let stamp = '';

  new ResizeObserver(() => draw()).observe(stage);
  window.addEventListener('sightline:theme', draw);

  const visible = () => lines.filter((line) => !off.has(line.label));

  function bounds() {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const line of visible()) {
      for (let at = 0; at < line.x.length; at += 1) {
        const y = line.y[at];
        if (y === null || !Number.isFinite(y) || (look.log && y <= 0)) continue;
        const x = line.x[at];
        if (x < x0) x0 = x;
        if (x > x1) x1 = x;
        if (y < y0) y0 = y;
        if (y > y1) y1 = y;
      }
    }
    if (x0 === Infinity) return {x: [0, 1], y: look.log ? [0.1, 1] : [0, 1]};
    if (x0 === x1) { x0 -= 0.5; x1 += 0.5; }
    if (look.log) return {x: [x0, x1], y: y0 === y1 ? [y0 / 2, y1 * 2] : [y0, y1]};
    const room = (y1 - y0) * 0.06 || Math.abs(y1) * 0.1 || 1;
    return {x: [x0, x1], y: [y0 - room, y1 + room]};
  }

  function plane() {
    const {x, y} = zoom ?? bounds();
    const width = stage.clientWidth;
    const wide = Math.max(1, width - PAD.left - PAD.right);
    const tall = HEIGHT - PAD.top - PAD.bottom;
    const lift = look.log ? Math.log : (/** @type {number} */ value) => value;
    const [low, high] = [lift(y[0]), lift(y[1])];
    return {
      width, x, y,
      px: (/** @type {number} */ value) => PAD.left + ((value - x[0]) / (x[1] - x[0])) * wide,
      py: (/** @type {number} */ value) => PAD.top + (1 - (lift(value) - low) / (high - low)) * tall,
      ix: (/** @type {number} */ pixel) => x[0] + ((pixel - PAD.left) / wide) * (x[1] - x[0]),
    };
  }

  function draw() {
    const {width, x, y, px, py} = plane();
    if (width < 10) return;
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = HEIGHT * scale;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${HEIGHT}px`;
    const pen = canvas.getContext('2d');
    pen.scale(scale, scale);
    const style = getComputedStyle(element);
    const read = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    pen.font = `11px ${read('--font')}`;
    pen.lineWidth = 1;
    pen.strokeStyle = read('--grid');
    pen.fillStyle = read('--muted');
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    for (const at of look.log ? logTicks(y[0], y[1]) : ticks(y[0], y[1], 5)) {
      const high = Math.round(py(at)) + 0.5;
      stroke(pen, [[PAD.left, high], [width - PAD.right, high]]);
      pen.fillText(tickText(at, look.log ? 0 : y[1] - y[0]), PAD.left - 7, high);
    }
    pen.textAlign = 'center';
    pen.textBaseline = 'top';
    for (const at of ticks(x[0], x[1], Math.max(2, width / 110))) {
      const text = xText(at, look.axis, x[1] - x[0]);
      pen.fillText(text, Math.min(px(at), width - PAD.right - pen.measureText(text).width / 2 + 6), HEIGHT - PAD.bottom + 7);
    }
    pen.save();
    pen.beginPath();
    pen.rect(PAD.left, PAD.top - 4, width - PAD.left - PAD.right + 2, HEIGHT - PAD.top - PAD.bottom + 8);
    pen.clip();
    for (const line of visible()) {
      pen.strokeStyle = read(`--line-${(line.hue ?? 0) % COLOURS}`);
      pen.fillStyle = pen.strokeStyle;
      const points = (/** @type {(number | null)[]} */ values) => line.x.map((value, at) => (usable(values[at]) ? [px(value), py(/** @type {number} */ (values[at]))] : null));
      pen.lineJoin = 'round';
      if (look.smooth) {
        pen.globalAlpha = 0.25;
        pen.lineWidth = 1;
        stroke(pen, points(line.y));
        pen.globalAlpha = 1;
      }
      pen.lineWidth = 1.7;
      const drawn = points(smoothed(line.y, look.smooth));
      stroke(pen, drawn);
      if (drawn.length <= 40) for (const point of drawn) if (point) dot(pen, point, 2.2);
    }
    pen.restore();
    if (pointed !== null) mark(pen, read, px, py);
  }

  /** @param {number | null | undefined} value */
  function usable(value) {
    return value !== null && value !== undefined && Number.isFinite(value) && !(look.log && value <= 0);
  }

  /**
   * @param {any} pen
   * @param {(name: string) => string} read
   * @param {(value: number) => number} px
   * @param {(value: number) => number} py
   */
  function mark(pen, read, px, py) {
    const near = visible().map((line) => ({line, at: nearest(line.x, /** @type {number} */ (pointed))})).filter(({line, at}) => at >= 0 && usable(line.y[at]));
    if (!near.length) return;
    const x = near.map(({line, at}) => line.x[at]).reduce((best, one) => (Math.abs(one - /** @type {number} */ (pointed)) < Math.abs(best - /** @type {number} */ (pointed)) ? one : best));
    pen.strokeStyle = read('--muted');
    pen.lineWidth = 1;
    stroke(pen, [[px(x), PAD.top], [px(x), HEIGHT - PAD.bottom]]);
    for (const {line, at} of near) {
      pen.fillStyle = read(`--line-${(line.hue ?? 0) % COLOURS}`);
      dot(pen, [px(line.x[at]), py(/** @type {number} */ (smoothed(line.y, look.smooth)[at]))], 3.4);
    }
    put(tip,
      h('strong', null, look.axis === 'iter' ? `iteration ${number(x)}` : look.axis === 'timestamp' ? exact(x) : xText(x, 'relative', 1e9)),
      near.sort((a, b) => Number(b.line.y[b.at]) - Number(a.line.y[a.at])).slice(0, 12).map(({line, at}) => (
        h('div', null, swatch(line), h('span', null, line.label), h('b', null, number(line.y[at]))))));
    tip.hidden = false;
    const left = px(x) + 12;
    tip.style.left = `${left + tip.offsetWidth > stage.clientWidth ? px(x) - tip.offsetWidth - 12 : left}px`;
  }

  canvas.addEventListener('pointermove', (/** @type {PointerEvent} */ event) => {
    pointed = plane().ix(event.offsetX);
    draw();
  });
  const away = () => { pointed = null; tip.hidden = true; draw(); };
  canvas.addEventListener('pointerleave', away);
  canvas.addEventListener('blur', away);
  canvas.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    const [low, high] = plane().x;
    const step = (high - low) / 50;
    if (event.key === 'ArrowRight') pointed = Math.min(high, (pointed ?? low) + step);
    else if (event.key === 'ArrowLeft') pointed = Math.max(low, (pointed ?? high) - step);
    else return;
    event.preventDefault();
    draw();
  });
  let from = null;
  canvas.addEventListener('pointerdown', (/** @type {PointerEvent} */ event) => { from = plane().ix(event.offsetX); });
  canvas.addEventListener('pointerup', (/** @type {PointerEvent} */ event) => {
    const to = plane().ix(event.offsetX);
    const {x, y} = plane();
    if (from !== null && Math.abs(to - from) > (x[1] - x[0]) * 0.02) zoom = {x: [Math.min(from, to), Math.max(from, to)], y: [y[0], y[1]]};
    from = null;
    draw();
  });
  canvas.addEventListener('dblclick', () => { zoom = null; draw(); });

  return {
    element,
    /**
     * @param {Line[]} fresh
     * @param {Look} how
     */
    show(fresh, how) {
      const text = `${JSON.stringify(how)}${fresh.map((line) => `${line.label}:${line.x.length}:${line.x.at(-1)}:${line.y.at(-1)}`).join()}`;
      if (text === stamp) return;
      if (how.axis !== look.axis) zoom = null;
      stamp = text;
      look = {...how};
      lines = fresh.map((line, at) => ({...line, hue: line.hue ?? at}));
      describe();
      draw();
    },
    /** @param {Look} how */
    look(how) {
      look = {...how};
      stamp = '';
      draw();
    },
  };

  function describe() {
    put(legend, lines.map((line) => h('button', {
      type: 'button', 'aria-pressed': String(!off.has(line.label)), title: 'Show or hide',
      on: {click: () => { off[off.has(line.label) ? 'delete' : 'add'](line.label); describe(); draw(); }},
    }, swatch(line), line.label, h('b', null, number(line.y.at(-1))))));
    canvas.setAttribute('aria-label', `${title}: ${lines.map((line) => `${line.label}, ${line.x.length} points, last ${number(line.y.at(-1))}`).join('; ')}`);
  }
}

/** @param {Line} line */
function swatch(line) {
  return h('i', {class: 'swatch', style: {background: `var(--line-${(line.hue ?? 0) % COLOURS})`}});
}

/**
 * @param {any} pen
 * @param {(number[] | null)[]} points a null breaks the line
 */
function stroke(pen, points) {
  pen.beginPath();
  let down = false;
  for (const point of points) {
    if (!point) down = false;
    else if (down) pen.lineTo(point[0], point[1]);
    else {
      pen.moveTo(point[0], point[1]);
      down = true;
    }
  }
  pen.stroke();
}

/**
 * @param {any} pen
 * @param {number[]} point
 * @param {number} radius
 */
function dot(pen, point, radius) {
  pen.beginPath();
  pen.arc(point[0], point[1], radius, 0, 7);
  pen.fill();
}

/**
 * The place of the value nearest to a number, in rising values.
 * @param {number[]} values
 * @param {number} wanted
 */
function nearest(values, wanted) {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && wanted - values[low - 1] < values[low] - wanted ? low - 1 : low;
}
