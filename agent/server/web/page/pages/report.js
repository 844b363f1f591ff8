/** One report: its text, and what it is about. */
import {h, put} from '../core/dom.js';
import {reportLink} from '../core/links.js';
import {learn, nameOf} from '../core/names.js';
import {go} from '../core/router.js';
import {acts, edit, ownerName, FIELDS} from '../data/reports.js';
import {getTask} from '../data/tasks.js';
import {chips, copyable, empty, head, when} from '../parts/blocks.js';
import {markdown} from '../parts/markdown.js';
import {menu} from '../parts/menu.js';
import {badge} from '../parts/status.js';

/** @param {import('../core/router.js').Context} context */
export default async function report({root, params, signal, live, title}) {
  let drawn = '';

  async function refresh() {
    const found = await getTask(params.report, {only: [...FIELDS, 'report', 'type'], signal});
    if (JSON.stringify(found) === drawn || document.querySelector('dialog, [aria-expanded=true][aria-haspopup]')) return;
    drawn = JSON.stringify(found);
    await Promise.all([learn('project', [found.project]), learn('user', [found.user])]);
    title(found.name);
    const owner = ownerName(nameOf('project', found.project));
    put(root, head({
      crumbs: [{text: 'Reports', to: '/reports'}, ...(owner ? [{text: owner}] : [])], title: h('a', {class: 'plain', href: reportLink(found)}, found.name),
      actions: [found.status === 'created' && h('button', {type: 'button', on: {click: () => edit(found, refresh)}}, 'Edit'),
        menu('More acts', () => acts(found, (how) => (how === 'deleted' ? go('/reports') : refresh())))],
      below: h('div', {class: 'meta'}, badge(found.status), chips(found.tags), h('span', null, nameOf('user', found.user)), when(found.last_update), copyable(found.id)),
    }),
    found.report?.trim() ? h('article', {class: 'card prose'}, markdown(found.report, signal)) : empty('Nothing is written yet.'));
  }
  await live(refresh, 5000);
}
