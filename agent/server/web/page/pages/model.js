/** One model: where it comes from, its file, its labels and metadata. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {download, linkable, ownPath} from '../core/files.js';
import {exact} from '../core/format.js';
import {taskLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {go} from '../core/router.js';
import {modelActs} from '../data/models.js';
import {card, chips, copyable, empty, facts, head} from '../parts/blocks.js';
import {icon} from '../parts/icons.js';
import {menu} from '../parts/menu.js';
import {attempt} from '../parts/toast.js';

/** @param {import('../core/router.js').Context} context */
export default async function modelPage({root, params, signal, live, title}) {
  let drawn = '';

  async function refresh() {
    const {models} = await call('models.get_all', {id: [params.model], search_hidden: true}, {signal});
    const [model] = models;
    if (!model) { put(root, empty('There is no such model.', 'It may have been deleted.')); return; }
    if (JSON.stringify(model) === drawn) return;
    drawn = JSON.stringify(model);
    await Promise.all([learn('project', [model.project]), learn('task', [model.task])]);
    title(model.name);
    const path = ownPath(model.uri);
    const metadata = Object.values(model.metadata ?? {});
    const design = typeof model.design === 'object' ? model.design?.design : model.design;
    put(root,
      head({
        crumbs: [{text: 'Models', to: '/models'}, ...(model.project ? [{text: nameOf('project', model.project), to: `/projects/${model.project}/models`}] : [])],
        title: model.name,
        actions: [
          path ? h('button', {type: 'button', class: 'primary', on: {click: () => attempt(() => download(path))}}, icon('download'), 'Download')
            : linkable(model.uri) && h('a', {class: 'button', href: model.uri, target: '_blank', rel: 'noopener noreferrer'}, 'Open', icon('out')),
          menu('More acts', () => modelActs(model, (how) => (how === 'deleted' ? go('/models') : refresh())))],
        below: h('div', {class: 'meta'}, h('span', {class: 'badge', data: {status: model.ready ? 'published' : 'created'}}, h('span', {class: 'dot'}), model.ready ? 'published' : 'draft'), model.framework && h('span', null, model.framework), chips(model.tags), copyable(model.id)),
      }),
      card('About', facts([
        ['Made by', model.task && h('a', {href: taskLink({id: model.task, project: model.project})}, nameOf('task', model.task) || model.task)],
        ['Made', exact(model.created)], ['Changed', exact(model.last_update)], ['Address', model.uri && copyable(model.uri)], ['Comment', model.comment && h('span', {class: 'lines'}, model.comment)]])),
      metadata.length > 0 && card('Metadata', facts(metadata.map((/** @type {any} */ item) => [item.key, h('code', null, String(item.value))]))),
      Object.keys(model.labels ?? {}).length > 0 && card('Labels', facts(Object.entries(model.labels).sort((/** @type {any} */ a, /** @type {any} */ b) => a[1] - b[1]).map(([name, number]) => [String(number), name]))),
      design && h('details', {class: 'card fold'}, h('summary', null, 'Design'), h('div', {class: 'fold-body'}, h('pre', {tabindex: '0'}, design))));
  }
  await live(refresh, 8000);
}
