/** Debug samples: pictures, sound, video and texts that a task has reported, by iteration. */
import {h, keyed, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {download, linkable, ownPath, shown} from '../core/files.js';
import {empty, waiting} from '../parts/blocks.js';
import {select} from '../parts/dialog.js';
import {icon} from '../parts/icons.js';

/** @param {any} context */
export default async function samples(context) {
  const {root, params, query, signal, live, setQuery} = context;
  const list = h('div', null);
  const more = h('button', {type: 'button', hidden: true, on: {click: () => { iterations += 5; refresh(); }}}, 'Earlier iterations');
  const metric = select({'aria-label': 'Metric', on: {change: () => { setQuery({metric: metric.value || null}); refresh(); }}}, [{value: '', text: 'All metrics'}], '');
  let iterations = 3;
  put(root, h('div', {class: 'filters'}, metric), waiting(), list, more);

  async function refresh() {
    const chosen = query.get('metric') ?? '';
    const [answer, names] = await Promise.all([
      call('events.debug_images', {metrics: [{task: params.task, ...(chosen ? {metric: chosen} : {})}], iters: iterations}, {signal}),
      call('events.get_task_metrics', {tasks: [params.task], event_type: 'training_debug_image'}, {signal}),
    ]);
    root.querySelector('.waiting')?.remove();
    const metrics = names.metrics[0]?.metrics ?? [];
    if (metric.options.length !== metrics.length + 1) {
      put(metric, [h('option', {value: ''}, 'All metrics'), ...metrics.map((/** @type {string} */ name) => h('option', {value: name}, name))]);
    }
    metric.value = chosen;
    const found = answer.metrics[0]?.iterations ?? [];
    more.hidden = found.length < iterations;
    keyed(list, found, (/** @type {any} */ one) => String(one.iter), iteration);
    const none = root.querySelector('.empty');
    if (found.length) none?.remove();
    else if (!none) root.append(empty('No debug samples yet.', 'Pictures, sound and video that a task reports appear here.'));
  }

  /** @param {any} first */
  function iteration(first) {
    const grid = h('div', {class: 'samples'});
    const section = h('section', null, h('h2', {class: 'iteration'}, `Iteration ${first.iter}`), grid);
    section.update = (/** @type {any} */ now) => keyed(grid, now.events, (/** @type {any} */ event) => `${event.metric}\n${event.variant}\n${event.url}`, sample);
    section.update(first);
    return section;
  }

  /** @param {any} event */
  function sample(event) {
    const path = ownPath(event.url);
    const name = `${event.metric} · ${event.variant}`;
    const stage = h('div', {class: 'sample-stage'});
    const figure = h('figure', {class: 'sample'}, stage, h('figcaption', {title: name}, event.variant, h('small', null, event.metric)));
    if (path) {
      new IntersectionObserver((entries, watcher) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        watcher.disconnect();
        fill(stage, path, name);
      }).observe(stage);
    } else put(stage, linkable(event.url) ? h('a', {href: event.url, target: '_blank', rel: 'noopener noreferrer'}, 'Open', icon('out')) : h('small', null, event.url));
    return figure;
  }

  /**
   * @param {any} stage
   * @param {string} path
   * @param {string} name
   */
  async function fill(stage, path, name) {
    try {
      const kind = /\.(mp4|webm|mov)$/i.test(path) ? 'video' : /\.(wav|mp3|ogg|flac)$/i.test(path) ? 'audio' : /\.(png|jpe?g|gif|webp|bmp|svg|avif)$/i.test(path) ? 'img' : '';
      if (!kind) {
        put(stage, h('button', {type: 'button', on: {click: () => download(path)}}, icon('download'), path.split('.').pop()));
        return;
      }
      const source = await shown(path, signal);
      if (kind === 'img') {
        put(stage, h('button', {type: 'button', class: 'bare', 'aria-label': `Enlarge ${name}`, on: {click: () => enlarge(source, name, path)}}, h('img', {src: source, alt: name})));
      } else put(stage, h(kind, {src: source, controls: true}));
    } catch (error) {
      if (!signal.aborted) put(stage, h('small', null, `It can't be shown (${error instanceof Error ? error.message : error}).`));
    }
  }

  await live(refresh, 6000);
}

/**
 * @param {string} source
 * @param {string} name
 * @param {string} path
 */
function enlarge(source, name, path) {
  const images = /** @type {HTMLImageElement[]} */ ([...document.querySelectorAll('.sample img')]);
  let at = images.findIndex((image) => image.src === source);
  const image = h('img', {src: source, alt: name});
  const title = h('h2', null, name);
  const dialog = h('dialog', {class: 'viewer', 'aria-label': name, on: {
    close: () => dialog.remove(),
    click: (/** @type {Event} */ event) => { if (event.target === dialog) dialog.close(); },
    keydown: (/** @type {KeyboardEvent} */ event) => {
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      if (!step || !images.length) return;
      at = (at + step + images.length) % images.length;
      image.src = images[at].src;
      title.textContent = images[at].alt;
    },
  }}, h('header', null, title,
    h('button', {class: 'bare', 'aria-label': 'Download', on: {click: () => download(path)}}, icon('download')),
    h('button', {class: 'bare', 'aria-label': 'Close', on: {click: () => dialog.close()}}, icon('close'))), image);
  document.body.append(dialog);
  dialog.showModal();
}
