/** Dialogs: the browser's own `<dialog>`, which keeps the focus and closes with Escape. */
import {h, put} from '../core/dom.js';
import {icon} from './icons.js';

/**
 * Ask with a form. The dialog stays open with the reason if the act fails.
 * @param {object} what
 * @param {string} what.title
 * @param {any} what.body
 * @param {string} what.act the button's word
 * @param {boolean} [what.danger]
 * @param {(form: HTMLFormElement) => Promise<any>} what.done
 * @returns {Promise<any>} what `done` gave; undefined if it was called off
 */
export function ask({title, body, act, danger = false, done}) {
  return new Promise((finish) => {
    const problem = h('p', {class: 'problem', role: 'alert', hidden: true});
    const button = h('button', {type: 'submit', class: danger ? 'danger' : 'primary'}, act);
    let result;
    const form = h('form', {method: 'dialog', on: {
      submit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        button.disabled = true;
        problem.hidden = true;
        try {
          result = (await done(form)) ?? true;
          dialog.close();
        } catch (error) {
          problem.textContent = error instanceof Error ? error.message : String(error);
          problem.hidden = false;
        } finally {
          button.disabled = false;
        }
      },
    }},
    h('div', {class: 'dialog-body'}, body, problem),
    h('footer', null,
      h('button', {type: 'button', on: {click: () => dialog.close()}}, 'Cancel'), button));
    const heading = `dialog-${Math.random().toString(36).slice(2)}`;
    const dialog = h('dialog', {'aria-labelledby': heading, on: {
      close: () => { dialog.remove(); finish(result); },
      click: (/** @type {MouseEvent} */ event) => { if (event.target === dialog) dialog.close(); },
    }},
    h('header', null, h('h2', {id: heading}, title),
      h('button', {class: 'bare', type: 'button', 'aria-label': 'Close', on: {click: () => dialog.close()}}, icon('close'))),
    form);
    document.body.append(dialog);
    dialog.showModal();
    const first = form.querySelector('input, select, textarea');
    (first ?? button).focus();
    window.addEventListener('sightline:page', () => dialog.close(), {once: true});
  });
}

/**
 * Ask whether to do what can't be undone.
 * @param {string} title
 * @param {any} body
 * @param {string} act
 * @param {() => Promise<any>} done
 */
export function confirm(title, body, act, done) {
  return ask({title, body: typeof body === 'string' ? h('p', null, body) : body, act, danger: true, done});
}

/**
 * A labelled field of a form.
 * @param {string} label
 * @param {any} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  return h('label', {class: 'field'}, h('span', null, label), control, hint && h('small', null, hint));
}

/**
 * Choices.
 * @param {Record<string, any>} props
 * @param {{value: string, text: string}[]} choices
 * @param {string} [chosen]
 */
export function select(props, choices, chosen) {
  return h('select', props, choices.map(({value, text}) => {
    const option = h('option', {value}, text);
    if (value === chosen) option.selected = true;
    return option;
  }));
}

export {put};
