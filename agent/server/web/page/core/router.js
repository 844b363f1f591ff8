/**
 * Addresses and pages. The addresses are those of ClearML's web application, so that the links
 * that the SDK prints lead here too; what a page shows is in its address.
 */
import {left} from './api.js';

/**
 * @typedef {object} Context
 * @property {Record<string, string>} params pieces of the address
 * @property {URLSearchParams} query
 * @property {HTMLElement} root where the page draws itself
 * @property {AbortSignal} signal told when the page is left
 * @property {(work: () => Promise<any>, ms?: number) => Promise<void>} live
 *   runs work now, and again and again while the page is looked at
 * @property {(changes: Record<string, string | null>) => void} setQuery
 *   notes a state in the address without a new page
 * @property {(text: string) => void} title
 */

/** @typedef {(context: Context) => any} Page */

/** @type {{pattern: RegExp, names: string[], load: () => Promise<{default: Page}>}[]} */
const routes = [];

/**
 * @param {string} path with `:name` for a piece, `*` for any rest
 * @param {() => Promise<any>} load the module with the page
 */
export function route(path, load) {
  /** @type {string[]} */
  const names = [];
  const source = path.replace(/:(\w+)/g, (_, name) => {
    names.push(name);
    return '([^/]+)';
  }).replace(/\/\*$/, '(?:/(.*))?');
  if (path.endsWith('/*')) names.push('rest');
  routes.push({pattern: new RegExp(`^${source}/?$`), names, load});
}

let leaving = new AbortController();
/** @type {HTMLElement} */
let outlet;
/** @type {(problem: any) => void} */
let onProblem = () => {};

/**
 * Begin to follow addresses.
 * @param {HTMLElement} element where pages are drawn
 * @param {(problem: any) => void} tell gets what goes wrong in live work, and null once it is well
 */
export function start(element, tell) {
  outlet = element;
  onProblem = tell;
  window.addEventListener('popstate', () => show());
  document.addEventListener('click', follow);
  show();
}

/** @param {MouseEvent} event */
function follow(event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const target = /** @type {Element} */ (event.target);
  const link = /** @type {HTMLAnchorElement | null} */ (target.closest?.('a[href]'));
  if (!link || link.target || link.hasAttribute('download')) return;
  if (link.origin !== location.origin || link.pathname.startsWith('/files/')) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/**
 * Go to an address.
 * @param {string} to
 * @param {{replace?: boolean}} [how]
 */
export function go(to, {replace = false} = {}) {
  if (to !== location.pathname + location.search) {
    history[replace ? 'replaceState' : 'pushState'](null, '', to);
  }
  show(true);
}

/** Draw the page of the address anew. */
export function reload() {
  show();
}

async function show(moved = false) {
  leaving.abort();
  leaving = new AbortController();
  const {signal} = leaving;
  const found = match(decodeURI(location.pathname));
  window.dispatchEvent(new CustomEvent('sightline:page'));
  try {
    const page = (await found.load()).default;
    if (signal.aborted) return;
    const root = document.createElement('div');
    root.className = 'page';
    outlet.replaceChildren(root);
    if (moved) outlet.scrollTop = 0;
    onProblem(null);
    await page(context(root, found.params, signal));
  } catch (error) {
    if (!signal.aborted && !left(error)) onProblem(error);
  }
}

/** @param {string} path */
function match(path) {
  for (const {pattern, names, load} of routes) {
    const found = pattern.exec(path);
    if (found) {
      const params = Object.fromEntries(names.map((name, at) => [name, found[at + 1] ?? '']));
      return {load, params};
    }
  }
  return {load: () => import('../pages/missing.js'), params: {}};
}

/**
 * @param {HTMLElement} root
 * @param {Record<string, string>} params
 * @param {AbortSignal} signal
 * @returns {Context}
 */
function context(root, params, signal) {
  const query = new URLSearchParams(location.search);
  return {
    root,
    params,
    signal,
    query,
    title: (text) => { document.title = `${text} · Sightline`; },
    setQuery(changes) {
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === '') query.delete(name);
        else query.set(name, value);
      }
      const text = query.toString();
      history.replaceState(null, '', location.pathname + (text ? `?${text}` : ''));
    },
    live: (work, ms = 3000) => live(work, ms, signal),
  };
}

/**
 * Work now, then every `ms` while the page is visible. An outage is told and waited out.
 * @param {() => Promise<any>} work
 * @param {number} ms
 * @param {AbortSignal} signal
 */
async function live(work, ms, signal) {
  await work();
  (async () => {
    let failures = 0;
    while (!signal.aborted) {
      await pause(Math.min(ms * 2 ** failures, 15000), signal);
      if (document.hidden) await visible(signal);
      if (signal.aborted) return;
      try {
        await work();
        if (failures) onProblem(null);
        failures = 0;
      } catch (error) {
        if (signal.aborted || left(error)) return;
        failures += 1;
        onProblem(error);
      }
    }
  })();
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); done(null); }, {once: true});
  });
}

/** @param {AbortSignal} signal */
function visible(signal) {
  return new Promise((done) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      done(null);
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look, {once: true});
  });
}
