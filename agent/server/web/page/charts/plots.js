/** Plots as the SDK reports them, drawn by Plotly in a frame that is shut off from this page. */
import {h} from '../core/dom.js';
import {fetched, ownPath} from '../core/files.js';

/**
 * @typedef {{id: string, title: string, note: string, text: string}} Plot
 */

/** @param {AbortSignal} signal */
export function plotFrame(signal) {
  const frame = h('iframe', {class: 'plots', title: 'Plots', sandbox: 'allow-scripts', src: `/web/plot.html${isDark() ? '#dark' : ''}`});
  /** @type {Plot[]} */
  let plots = [];
  let ready = false;

  addEventListener('message', ({source, data}) => {
    if (source !== frame.contentWindow) return;
    if (data.kind === 'ready') { ready = true; send(); }
    if (data.kind === 'height') frame.style.height = `${Math.min(Math.max(Number(data.height) || 0, 40), 60000)}px`;
  }, {signal});
  addEventListener('sightline:theme', send, {signal});

  function send() {
    if (ready) frame.contentWindow?.postMessage({kind: 'plots', dark: isDark(), plots}, '*');
  }

  return {
    element: frame,
    /** @param {Plot[]} fresh */
    show(fresh) {
      plots = fresh;
      send();
    },
  };
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** @type {Map<string, string>} */
const pictures = new Map();

/**
 * A plot's text with the pictures of this server inside it: the frame can't fetch them.
 * @param {string} text
 * @param {AbortSignal} signal
 */
export async function selfContained(text, signal) {
  if (!text.includes('/files/')) return text;
  const figure = JSON.parse(text);
  for (const one of figure.layout?.images ?? []) {
    const path = ownPath(one.source);
    if (!path) continue;
    if (!pictures.has(path)) pictures.set(path, await dataUrl(await fetched(path, signal)));
    one.source = pictures.get(path);
  }
  return JSON.stringify(figure);
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
function dataUrl(blob) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(blob);
  });
}
