/** What can be done with a model. */
import {h} from '../core/dom.js';
import {call} from '../core/api.js';
import {ask, confirm, field} from '../parts/dialog.js';
import {attempt, toast} from '../parts/toast.js';

/**
 * @param {any} model
 * @param {(how?: string) => any} changed
 * @returns {import('../parts/menu.js').Item[]}
 */
export function modelActs(model, changed) {
  const archived = (model.system_tags ?? []).includes('archived');
  return [
    {text: 'Publish …', disabled: Boolean(model.ready), act: async () => {
      if (await confirm(`Publish ${model.name}?`, 'A published model can no longer be changed.', 'Publish', () => call('models.set_ready', {model: model.id}))) changed();
    }},
    {text: 'Tags …', act: async () => {
      const tags = h('input', {value: (model.tags ?? []).join(', ')});
      if (await ask({title: 'Tags', body: field('Tags', tags, 'Separated by commas.'), act: 'Save',
        done: () => call('models.update', {model: model.id, tags: tags.value.split(',').map((/** @type {string} */ tag) => tag.trim()).filter(Boolean)})})) changed();
    }},
    {text: archived ? 'Take out of the archive' : 'Archive', act: async () => {
      if (await attempt(() => call(archived ? 'models.unarchive_many' : 'models.archive_many', {ids: [model.id]}))) { toast('Done.'); changed(); }
    }},
    {text: 'Delete …', danger: true, act: async () => {
      if (await confirm(`Delete ${model.name}?`, "Its file goes with it. This can't be undone.", 'Delete', () => call('models.delete', {model: model.id, force: true, delete_external_artifacts: true}))) changed('deleted');
    }},
  ];
}
