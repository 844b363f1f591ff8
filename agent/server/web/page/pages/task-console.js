/** What a task prints: the last lines first, earlier ones on demand, new ones as they come. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {exact} from '../core/format.js';
import {empty, waiting} from '../parts/blocks.js';
import {ansi} from '../parts/ansi.js';

const PAGE = 200;

/** @param {any} context */
export default async function consolePage(context) {
  const {root, params, signal, live} = context;
  const lines = h('div', {class: 'console-lines', role: 'log', 'aria-label': 'Console'});
  const box = h('div', {class: 'console', tabindex: '0'}, lines);
  const follow = h('input', {type: 'checkbox', checked: true});
  const filter = h('input', {type: 'search', placeholder: 'Show only lines with …', 'aria-label': 'Show only lines with', on: {input: sift}});
  const earlier = h('button', {type: 'button', hidden: true, on: {click: before}}, 'Earlier lines');
  put(root, h('div', {class: 'filters'}, filter, h('label', {class: 'tick'}, follow, 'Follow'), earlier,
    h('button', {type: 'button', on: {click: () => save()}}, 'Save as a file')), waiting(), box);
  const seen = new Set();
  let first = Infinity;
  let last = 0;

  async function refresh() {
    if (!last) {
      const {events} = await call('events.get_task_log', {task: params.task, batch_size: PAGE, navigate_earlier: true, order: 'asc'}, {signal});
      root.querySelector('.waiting')?.remove();
      add(sorted(events), true);
      earlier.hidden = events.length < PAGE;
    } else {
      const {events} = await call('events.get_task_log', {task: params.task, batch_size: PAGE, navigate_earlier: false, from_timestamp: last - 1, order: 'asc'}, {signal});
      add(sorted(events), true);
    }
    const none = root.querySelector('.empty');
    if (last) none?.remove();
    else if (!none) root.append(empty('Nothing printed yet.'));
    box.hidden = !last;
  }

  async function before() {
    const {events} = await call('events.get_task_log', {task: params.task, batch_size: PAGE, navigate_earlier: true, from_timestamp: first, order: 'asc'}, {signal});
    const from = box.scrollHeight - box.scrollTop;
    add(sorted(events), false);
    box.scrollTop = box.scrollHeight - from;
    earlier.hidden = events.length < PAGE;
  }

  /**
   * @param {any[]} events
   * @param {boolean} below
   */
  function add(events, below) {
    const fresh = document.createDocumentFragment();
    for (const event of events) {
      const key = `${event.timestamp}\n${event.worker}\n${event.msg}`;
      if (seen.has(key)) continue;
      seen.add(key);
      first = Math.min(first, event.timestamp);
      last = Math.max(last, event.timestamp);
      for (const line of String(event.msg ?? '').replace(/\r\n/g, '\n').replace(/\n$/, '').split('\n')) {
        fresh.append(h('div', {class: 'line', title: exact(event.timestamp), data: {level: event.level ?? ''}}, ansi(line.slice(line.lastIndexOf('\r') + 1))));
      }
    }
    if (!fresh.childElementCount) return;
    lines[below ? 'append' : 'prepend'](fresh);
    sift();
    if (below && follow.checked) box.scrollTop = box.scrollHeight;
  }

  function sift() {
    const wanted = filter.value.toLowerCase();
    for (const line of lines.children) line.hidden = Boolean(wanted) && !line.textContent.toLowerCase().includes(wanted);
  }

  async function save() {
    /** @type {string[]} */
    const pieces = [];
    let from = 0;
    for (;;) {
      const {events} = await call('events.get_task_log', {task: params.task, batch_size: 1000, navigate_earlier: false, from_timestamp: from, order: 'asc'}, {signal});
      const fresh = sorted(events);
      pieces.push(...fresh.map((event) => String(event.msg ?? '')));
      const end = fresh.at(-1)?.timestamp;
      if (events.length < 1000 || end === undefined || end === from) break;
      from = end;
    }
    const link = h('a', {download: `${params.task}.log`, href: URL.createObjectURL(new Blob([pieces.join('\n')], {type: 'text/plain'}))});
    link.click();
    URL.revokeObjectURL(link.href);
  }

  box.addEventListener('scroll', () => {
    const end = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    if (!end && follow.checked && box.matches(':hover, :focus')) follow.checked = false;
  });
  await live(refresh, 2500);
}

/** @param {any[]} events */
function sorted(events) {
  return [...events].sort((a, b) => a.timestamp - b.timestamp);
}
