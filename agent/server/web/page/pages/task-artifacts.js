/** What a task has left: artifacts, and the models it took in and gave out. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {download, linkable, ownPath} from '../core/files.js';
import {exact, size} from '../core/format.js';
import {modelLink} from '../core/links.js';
import {getTask} from '../data/tasks.js';
import {card, chips, copyable, empty, facts, waiting} from '../parts/blocks.js';
import {icon} from '../parts/icons.js';
import {attempt} from '../parts/toast.js';

/** @param {any} context */
export default async function artifacts(context) {
  const {root, params, signal, live} = context;
  put(root, waiting());
  let drawn = '';

  async function refresh() {
    const task = await getTask(params.task, {only: ['execution.artifacts', 'models'], signal});
    const found = task.execution?.artifacts ?? [];
    const ids = [...(task.models?.input ?? []), ...(task.models?.output ?? [])].map((/** @type {any} */ item) => item.model);
    const text = JSON.stringify([found, ids]);
    if (text === drawn) return;
    drawn = text;
    const models = new Map();
    if (ids.length) {
      const answer = await call('models.get_all', {id: ids, only_fields: ['id', 'name', 'framework', 'uri', 'tags', 'ready', 'project']}, {signal});
      for (const model of answer.models) models.set(model.id, model);
    }
    const list = (/** @type {string} */ kind) => (task.models?.[kind] ?? []).map((/** @type {any} */ item) => modelCard(item, models.get(item.model)));
    const [input, output] = [list('input'), list('output')];
    put(root,
      output.length > 0 && card('Output models', h('div', {class: 'tiles'}, output)),
      input.length > 0 && card('Input models', h('div', {class: 'tiles'}, input)),
      found.map(artifact),
      !found.length && !ids.length && empty('No artifacts and no models yet.'));
  }
  await live(refresh, 6000);
}

/**
 * @param {any} item
 * @param {any} model
 */
function modelCard(item, model) {
  return h('a', {class: 'tile', href: model ? modelLink(model) : null}, h('strong', null, model?.name ?? item.model),
    h('span', {class: 'under'}, item.name, model?.framework && h('span', null, model.framework), chips(model?.tags), model ? model.ready && h('span', {class: 'chip'}, 'published') : 'deleted'));
}

/** @param {any} item */
function artifact(item) {
  const path = ownPath(item.uri);
  const preview = item.type_data?.preview;
  return h('section', {class: 'card'},
    h('header', null, h('h2', null, item.key, h('small', null, [item.mode === 'input' ? 'input' : '', item.type].filter(Boolean).join(' '))),
      path ? h('button', {type: 'button', on: {click: () => attempt(() => download(path))}}, icon('download'), 'Download')
        : linkable(item.uri) && h('a', {class: 'button', href: item.uri, target: '_blank', rel: 'noopener noreferrer'}, 'Open', icon('out'))),
    facts([['Size', item.content_size ? size(item.content_size) : ''], ['Made', item.timestamp ? exact(item.timestamp * 1000) : ''], ['SHA-256', item.hash && copyable(item.hash)], ['Address', item.uri && copyable(item.uri)]]),
    preview && h('pre', {class: 'preview', tabindex: '0'}, preview));
}
