/**
 * Making elements. Texts become text nodes, always: nothing here reads HTML.
 */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Child | Child[] | Child[][] | any[]} Children
 */

/**
 * Make an HTML element.
 * @param {string} tag
 * @param {Record<string, any> | null} [props] attributes; `on` holds listeners, `data` data-*
 *   attributes, `style` properties; null, undefined and false leave an attribute out
 * @param {...Children} children
 * @returns {any}
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * Make an SVG element.
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...Children} children
 * @returns {any}
 */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/**
 * @param {any} element
 * @param {Record<string, any> | null | undefined} props
 * @param {Children[]} children
 */
function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [kind, listener] of Object.entries(value)) {
        if (listener) element.addEventListener(kind, listener);
      }
    } else if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'style') {
      for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    } else if (name === 'value') element.value = value;
    else if (name === 'checked' || name === 'disabled' || name === 'hidden' || name === 'open') {
      element[name] = Boolean(value);
    } else if (/^(on|srcdoc$)/i.test(name)) throw new Error(`not an attribute for h(): ${name}`);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/**
 * @param {any} element
 * @param {Children[]} children
 */
function append(element, children) {
  for (const child of children.flat(4)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/**
 * Replace what an element holds.
 * @param {any} element
 * @param {...Children} children
 */
export function put(element, ...children) {
  const fresh = document.createDocumentFragment();
  append(fresh, children);
  element.replaceChildren(fresh);
}

/**
 * Bring the children of a container in line with a list, keeping those that stay: what has the
 * focus or is selected remains so while the list is live.
 * @template T
 * @param {any} container
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => any} make makes a child; it may have a method `update`
 */
export function keyed(container, items, key, make) {
  const old = new Map();
  for (const child of [...container.children]) old.set(child.dataset.key, child);
  let place = container.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let child = old.get(name);
    old.delete(name);
    if (child?.update) child.update(item);
    else {
      const fresh = make(item);
      fresh.dataset.key = name;
      if (child) {
        if (child === place) place = fresh;
        child.replaceWith(fresh);
      }
      child = fresh;
    }
    if (child === place) place = place.nextElementSibling;
    else container.insertBefore(child, place);
  }
  for (const child of old.values()) child.remove();
}

/**
 * Run once no more calls have come for a while.
 * @param {(...args: any[]) => void} work
 * @param {number} ms
 */
export function later(work, ms) {
  let timer = 0;
  return (/** @type {any[]} */ ...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), ms);
  };
}
