/** Terminal colours as elements; all other control sequences are left out. */
import {h} from '../core/dom.js';

const SEQUENCE = /\u001b\[([0-9;?]*)([A-Za-z])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[()][A-Z0-9]|\u001b./g;

/**
 * @param {string} line
 * @returns {any[]}
 */
export function ansi(line) {
  /** @type {any[]} */
  const parts = [];
  let at = 0;
  let colour = '';
  let bold = false;
  const add = (/** @type {string} */ text) => {
    if (!text) return;
    parts.push(colour || bold ? h('span', {class: bold ? 'strong' : null, data: colour ? {ink: colour} : {}}, text) : text);
  };
  for (const found of line.matchAll(SEQUENCE)) {
    add(line.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] !== 'm') continue;
    for (const code of (found[1] || '0').split(';').map(Number)) {
      if (code === 0) { colour = ''; bold = false; } else if (code === 1) bold = true;
      else if (code === 22) bold = false;
      else if (code === 39) colour = '';
      else if (code >= 30 && code <= 37) colour = String(code - 30);
      else if (code >= 90 && code <= 97) colour = String(code - 90);
    }
  }
  add(line.slice(at));
  return parts;
}
