/** Hyperparameters and configuration texts; both can be changed while the task is a draft. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {getTask, allowed} from '../data/tasks.js';
import {empty, waiting} from '../parts/blocks.js';
import {toast} from '../parts/toast.js';
import {attempt} from '../parts/toast.js';

/** @param {any} context */
export default async function configuration(context) {
  const {root, params, signal} = context;
  put(root, waiting());
  let may = false;

  async function draw() {
    const task = await getTask(params.task, {only: ['hyperparams', 'configuration', 'status', 'system_tags'], signal});
    may = allowed(task).edit;
    const sections = Object.entries(task.hyperparams ?? {}).filter(([name]) => name !== 'properties');
    sections.sort(([a], [b]) => Number(b === 'Args') - Number(a === 'Args') || a.localeCompare(b));
    const properties = task.hyperparams?.properties;
    const texts = Object.values(task.configuration ?? {});
    const filter = h('input', {type: 'search', placeholder: 'Filter parameters', 'aria-label': 'Filter parameters', on: {input: () => {
      const wanted = filter.value.toLowerCase();
      for (const row of root.querySelectorAll('.parameters tbody tr')) row.hidden = !row.textContent.toLowerCase().includes(wanted) && !row.querySelector('input')?.value.toLowerCase().includes(wanted);
    }}});
    put(root,
      h('div', {class: 'filters'}, filter,
        h('span', {class: 'hint'}, may ? 'This task is a draft: its parameters can be changed.' : 'To change a parameter, clone the task: the clone is a draft.')),
      sections.map(([name, items]) => section(name, items)),
      properties && section('properties', properties),
      texts.map(text),
      !sections.length && !texts.length && !properties && empty('No parameters and no configuration.'));
  }

  /**
   * @param {string} name
   * @param {Record<string, any>} items
   */
  function section(name, items) {
    const free = may || name === 'properties';
    const rows = Object.values(items).filter((item) => item).sort((a, b) => a.name.localeCompare(b.name));
    const form = h('form', {class: 'card parameters', on: {submit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      const changed = rows.filter((item) => form.elements[item.name] && form.elements[item.name].value !== String(item.value ?? ''));
      const done = await attempt(() => call('tasks.edit_hyper_params', {task: params.task, hyperparams: changed.map((item) => ({...item, section: name, value: form.elements[item.name].value}))}));
      if (!done) return;
      toast(`Saved ${changed.length === 1 ? changed[0].name : `${changed.length} parameters`}.`);
      await draw();
    }}},
    h('header', null, h('h2', null, name === 'properties' ? 'User properties' : name),
      free && [
        h('button', {type: 'button', on: {click: () => more(form, name)}}, 'Add'),
        h('button', {type: 'submit', class: 'primary', hidden: true}, 'Save')]),
    h('table', null, h('caption', {class: 'unseen'}, name), h('tbody', null, rows.map((item) => h('tr', null,
      h('th', {scope: 'row', title: item.description || null}, item.name),
      h('td', null, free ? field(item) : h('code', {class: 'value'}, item.value ?? '')),
      h('td', {class: 'hint'}, item.description),
      free && h('td', {class: 'acts'}, h('button', {type: 'button', class: 'bare danger-text', 'aria-label': `Remove ${item.name}`, on: {click: async () => {
        if (await attempt(() => call('tasks.delete_hyper_params', {task: params.task, hyperparams: [{section: name, name: item.name}]}))) await draw();
      }}}, '×')))))));
    form.addEventListener('input', () => {
      const button = form.querySelector('[type=submit]');
      button.hidden = !rows.some((item) => form.elements[item.name]?.value !== String(item.value ?? ''));
    });
    return form;
  }

  /** @param {any} item */
  function field(item) {
    const long = String(item.value ?? '').length > 90;
    return h(long ? 'textarea' : 'input', {name: item.name, value: item.value ?? '', rows: long ? 3 : null, 'aria-label': item.name, spellcheck: 'false', autocomplete: 'off'});
  }

  /**
   * @param {any} form
   * @param {string} name
   */
  async function more(form, name) {
    const {ask, field: labelled} = await import('../parts/dialog.js');
    const key = h('input', {required: true});
    const value = h('input', null);
    const done = await ask({title: `Add a parameter to ${name}`, body: [labelled('Name', key), labelled('Value', value)], act: 'Add',
      done: () => call('tasks.edit_hyper_params', {task: params.task, hyperparams: [{section: name, name: key.value.trim(), value: value.value}]})});
    if (done) await draw();
  }

  /** @param {any} one */
  function text(one) {
    const area = h('textarea', {rows: Math.min(24, String(one.value ?? '').split('\n').length + 1), value: one.value ?? '', 'aria-label': one.name, spellcheck: 'false', readonly: !may});
    const save = h('button', {type: 'button', class: 'primary', hidden: true, on: {click: async () => {
      const done = await attempt(() => call('tasks.edit_configuration', {task: params.task, configuration: [{...one, value: area.value}]}));
      if (done) { toast(`Saved ${one.name}.`); one.value = area.value; save.hidden = true; }
    }}}, 'Save');
    area.addEventListener('input', () => { save.hidden = area.value === one.value; });
    return h('details', {class: 'card fold', open: String(one.value ?? '').length < 1500},
      h('summary', null, one.name, h('small', null, one.type ?? '')), h('div', {class: 'fold-body'}, area, save));
  }

  await draw();
  let status = context.task().status;
  context.onTask((/** @type {any} */ task) => {
    if (task.status !== status) { status = task.status; draw(); }
  });
}
