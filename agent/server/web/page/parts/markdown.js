/**
 * Markdown as elements: headings, lists, tables, code, quotes, links, pictures of this server.
 * HTML in it is shown as text, but for the frames in which ClearML embeds a figure: those become
 * links to the tasks they draw.
 */
import {h} from '../core/dom.js';
import {linkable, ownPath, shown} from '../core/files.js';

const FENCE = /^\s*(```|~~~)/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^\s*>\s?/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const FIGURE = /<iframe[^>]{0,999}\ssrc="([^"]{0,9999})"[^>]{0,999}>\s*(?:<\/iframe>)?/i;
// Bounded everywhere: a text from elsewhere must not keep the page busy.
const INLINE = /(`{1,9})([^]{0,999}?[^`])\1(?!`)|!\[([^\]]{0,999})\]\(([^\s)]{1,2000})[^)]{0,999}\)|\[([^\]]{1,999})\]\(([^\s)]{1,2000})[^)]{0,999}\)|(\*\*|__)(?=\S)([^]{0,999}?\S)\7|(?<![\w*])([*_])(?=\S)([^]{0,999}?\S)\9(?!\w)|~~(?=\S)([^]{0,999}?\S)~~|<(https?:\/\/[^\s>]{1,2000})>|(https?:\/\/[^\s<>()]{1,2000}[^\s<>().,;:!?'"])/;

/**
 * @param {string} text
 * @param {AbortSignal} signal told when the page is left
 * @returns {any[]} elements
 */
export function markdown(text, signal) {
  return blocks(text.replaceAll('\r\n', '\n').split('\n'), signal, 0);
}

/**
 * @param {string[]} lines
 * @param {AbortSignal} signal
 * @param {number} depth
 * @returns {any[]}
 */
function blocks(lines, signal, depth) {
  const found = [];
  let at = 0;
  /** @param {(line: string) => boolean} fits */
  const take = (fits) => {
    const from = at;
    while (at < lines.length && fits(lines[at])) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const heading = HEADING.exec(line);
    const fence = FENCE.exec(line);
    if (!line.trim()) at += 1;
    else if (fence) {
      at += 1;
      const code = take((each) => !each.trim().startsWith(fence[1]));
      at += 1;
      found.push(h('pre', null, h('code', null, code.join('\n'))));
    } else if (heading) {
      at += 1;
      found.push(h(`h${Math.min(heading[1].length + 1, 6)}`, null, inline(heading[2], signal)));
    } else if (RULE.test(line)) {
      at += 1;
      found.push(h('hr', null));
    } else if (QUOTE.test(line)) {
      const quoted = take((each) => QUOTE.test(each)).map((each) => each.replace(QUOTE, ''));
      found.push(h('blockquote', null, depth < 8 ? blocks(quoted, signal, depth + 1) : quoted.join('\n')));
    } else if (ITEM.test(line) && depth < 8) {
      found.push(list(take((each) => Boolean(each.trim()) && (ITEM.test(each) || /^\s/.test(each))), signal, depth));
    } else if (line.includes('|') && DIVIDER.test(lines[at + 1] ?? '') && lines[at + 1].includes('-')) {
      const [head, , ...rows] = take((each) => each.includes('|'));
      found.push(h('div', {class: 'table-frame'}, h('table', null, h('thead', null, row(head, 'th', signal)), h('tbody', null, rows.map((each) => row(each, 'td', signal))))));
    } else {
      const first = at;
      at += 1;
      take((each) => Boolean(each.trim()) && ![FENCE, HEADING, QUOTE, ITEM, RULE].some((kind) => kind.test(each)));
      found.push(h('p', null, inline(lines.slice(first, at).join('\n'), signal)));
    }
  }
  return found;
}

/**
 * @param {string[]} lines of a list, with what is nested in it
 * @param {AbortSignal} signal
 * @param {number} depth
 */
function list(lines, signal, depth) {
  const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[0]));
  /** @type {string[][]} */
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length <= first[1].length) items.push([item[3]]);
    else items[items.length - 1].push(line.slice(Math.min(line.search(/\S/), first[1].length + 2)));
  }
  return h(/\d/.test(first[2]) ? 'ol' : 'ul', null, items.map(([text, ...rest]) => (
    h('li', null, inline(text, signal), rest.length > 0 && blocks(rest, signal, depth + 1)))));
}

/**
 * @param {string} line
 * @param {string} tag
 * @param {AbortSignal} signal
 */
function row(line, tag, signal) {
  const cells = line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/);
  return h('tr', null, cells.map((cell) => h(tag, null, inline(cell.trim().replaceAll('\\|', '|'), signal))));
}

/**
 * @param {string} text
 * @param {AbortSignal} signal
 * @returns {any[]}
 */
function inline(text, signal) {
  const made = [];
  let rest = text;
  while (rest) {
    const figure = FIGURE.exec(rest);
    const other = INLINE.exec(rest);
    const isFigure = figure && (!other || figure.index <= other.index);
    const found = isFigure ? figure : other;
    const plain = rest.slice(0, found ? found.index : rest.length);
    if (plain) made.push(plain.replace(/\\([!-/:-@[-`{-~])/g, '$1'));
    if (!found) break;
    made.push(isFigure ? drawn(found[1]) : piece(found, signal));
    rest = rest.slice(found.index + found[0].length);
  }
  return made;
}

/**
 * @param {RegExpExecArray} found by `INLINE`
 * @param {AbortSignal} signal
 */
function piece([, , code, alt, picture, said, to, , strong, , soft, gone, bracketed, bare], signal) {
  if (code !== undefined) return h('code', null, code.trim());
  if (picture !== undefined) return image(picture, alt, signal);
  if (to !== undefined) return link(to, inline(said, signal));
  if (strong !== undefined) return h('strong', null, inline(strong, signal));
  if (soft !== undefined) return h('em', null, inline(soft, signal));
  if (gone !== undefined) return h('s', null, inline(gone, signal));
  return link(bracketed ?? bare, [bracketed ?? bare]);
}

/**
 * @param {string} to
 * @param {any[]} content
 */
function link(to, content) {
  const own = to.startsWith('/') && !to.startsWith('//');
  if (!own && !linkable(to)) return h('span', null, content);
  return h('a', own ? {href: to} : {href: to, target: '_blank', rel: 'noreferrer noopener'}, content);
}

/**
 * @param {string} url
 * @param {string} alt
 * @param {AbortSignal} signal
 */
function image(url, alt, signal) {
  const path = ownPath(url);
  if (!path) return link(url, [alt || url]);
  const element = h('img', {alt});
  shown(path, signal).then((address) => { element.src = address; }, () => element.replaceWith(`${alt || path} (not found)`));
  return element;
}

/** @param {string} address of a figure that ClearML's application draws */
function drawn(address) {
  const query = new URLSearchParams(address.replaceAll('&amp;', '&').split('?')[1] ?? '');
  const tasks = [...query.getAll('tasks'), ...query.getAll('objects')].flatMap((each) => each.split(',')).filter((id) => /^\w+$/.test(id));
  const names = [...query.getAll('metrics'), ...query.getAll('variants')].filter(Boolean).join(' · ');
  const tab = query.get('type') === 'sample' ? 'samples' : query.get('type') === 'plot' ? 'plots' : 'scalars';
  if (!tasks.length) return h('span', {class: 'hint'}, 'A figure from elsewhere');
  const to = tasks.length > 1 ? `/projects/*/compare/${tasks.join(',')}` : `/projects/*/tasks/${tasks[0]}/${tab}`;
  return h('a', {class: 'figure-link', href: to}, `Figure: ${names || query.get('type') || 'of a task'}`);
}
