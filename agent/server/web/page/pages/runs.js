/** The runs of one pipeline. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {duration, ran} from '../core/format.js';
import {pipelineLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {go} from '../core/router.js';
import {pipelineName} from '../data/pipelines.js';
import {ROW, abort, acts, archive, remove} from '../data/tasks.js';
import {empty, head, when, chips} from '../parts/blocks.js';
import {menu} from '../parts/menu.js';
import {badge} from '../parts/status.js';
import {table} from '../parts/table.js';
import {newRun} from './new-run.js';

/** @param {import('../core/router.js').Context} context */
export default async function runs({root, params, query, signal, live, setQuery, title}) {
  await learn('project', [params.project]);
  const {owner, name} = pipelineName(nameOf('project', params.project));
  title(name);
  /** @type {any[]} */
  let shown = [];
  const several = h('div', {class: 'several', role: 'toolbar', 'aria-label': 'With the picked runs', hidden: true});
  const list = h('div', null);
  let rows = build();
  put(root, head({crumbs: [{text: 'Pipelines', to: '/pipelines'}, {text: owner}], title: name,
    actions: h('button', {class: 'primary', type: 'button', on: {click: () => shown.length && newRun(shown[0].id)}}, 'New run')}), several, list);

  function build() {
    const made = table({
      label: 'Runs', key: (run) => run.id, order: query.get('order') ?? '-last_update',
      reorder: (order) => { setQuery({order}); rows = build(); refresh(); },
      pick: (picked) => {
        const chosen = shown.filter((run) => picked.has(run.id));
        const done = () => { rows.clear(); refresh(); };
        several.hidden = !chosen.length;
        put(several, h('span', null, `${chosen.length} picked`),
          h('button', {disabled: chosen.length < 2, on: {click: () => go(`/projects/${params.project}/compare/${chosen.map((run) => run.id).join(',')}`)}}, 'Compare'),
          h('button', {on: {click: () => abort(chosen, done)}}, 'Abort'), h('button', {on: {click: () => archive(chosen, true, done)}}, 'Archive'),
          h('button', {class: 'danger-text', on: {click: () => remove(chosen, done)}}, 'Delete'));
      },
      columns: [
        {title: 'Run', sort: 'name', class: 'main-cell', cell: (run) => [h('a', {href: pipelineLink(run)}, run.name), h('div', {class: 'under'}, chips(run.tags))]},
        {title: 'Status', sort: 'status', cell: (run) => badge(run.status, run.status_reason)},
        {title: 'Version', cell: (run) => run.runtime?.version ?? ''},
        {title: 'Started', sort: 'started', class: 'clock', cell: (run) => when(run.started)},
        {title: 'Ran', class: 'figure clock', cell: (run) => duration(ran(run))},
        {title: 'Updated', sort: 'last_update', class: 'clock', cell: (run) => when(run.last_update)},
        {title: '', class: 'acts', cell: (run) => menu(`Acts on ${run.name}`, () => [{text: 'New run …', act: () => newRun(run.id)}, null, ...acts(run, refresh)])},
      ],
    });
    put(list, made.element);
    return made;
  }

  async function refresh() {
    const {tasks} = await call('tasks.get_all', {
      project: [params.project], type: ['controller'], system_tags: ['-archived'], order_by: [query.get('order') ?? '-last_update'], page: 0, page_size: 100,
      only_fields: [...ROW, 'runtime.version'], search_hidden: true,
    }, {signal});
    shown = tasks;
    rows.show(tasks);
    if (!tasks.length && !list.querySelector('.empty')) list.append(empty('No runs.'));
  }
  await live(refresh, 4000);
}
