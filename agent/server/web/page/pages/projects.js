/** The projects, as a tree; with an id in the address what is inside one. */
import {h, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {counted} from '../core/format.js';
import {go} from '../core/router.js';
import {unlearn} from '../core/names.js';
import {projectTree} from '../data/projects.js';
import {empty, head, waiting, when} from '../parts/blocks.js';
import {ask, confirm, field} from '../parts/dialog.js';
import {icon} from '../parts/icons.js';
import {menu} from '../parts/menu.js';
import {projectCrumbs, projectTabs} from './project-head.js';
import {learn, nameOf} from '../core/names.js';

const CLOSED = 'sightline.closed';

/** @param {import('../core/router.js').Context} context */
export default async function projects({root, params, signal, live, title}) {
  const inside = params.project && params.project !== '*' ? params.project : '';
  await learn('project', [inside]);
  title(inside ? nameOf('project', inside) : 'Projects');
  const closed = new Set(JSON.parse(localStorage.getItem(CLOSED) ?? '[]'));
  const tree = h('div', {class: 'tree', role: 'list', 'aria-label': 'Projects'});
  let drawn = '';
  put(root,
    head({
      crumbs: inside ? projectCrumbs(inside) : [], title: inside ? nameOf('project', inside).split('/').pop() : 'Projects',
      actions: [!inside && h('a', {class: 'button', href: '/projects/*/tasks'}, 'All tasks'), h('button', {type: 'button', on: {click: make}}, icon('add'), 'New project')],
      below: inside && projectTabs(inside, 'projects'),
    }), waiting(), tree);

  async function refresh() {
    const roots = await projectTree(signal);
    const shown = inside ? find(roots, inside)?.children ?? [] : roots;
    root.querySelector('.waiting')?.remove();
    const text = JSON.stringify(shown) + Math.floor(Date.now() / 15000);
    if (text === drawn || document.querySelector('[aria-expanded=true][aria-haspopup]')) return;
    drawn = text;
    const focused = /** @type {any} */ (document.activeElement)?.closest?.('.branch')?.dataset.id;
    put(tree, shown.map((node) => branch(node, 1)));
    if (focused) /** @type {any} */ (tree.querySelector(`[data-id="${focused}"] a`))?.focus();
    if (!shown.length) put(tree, empty(inside ? 'No projects inside.' : 'No projects yet.', inside ? '' : 'The first task makes one.'));
  }

  /**
   * @param {import('../data/projects.js').Node} node
   * @param {number} level
   */
  function branch(node, level) {
    const open = !closed.has(node.id);
    const below = h('div', {role: 'list', class: 'inside', hidden: !open}, node.children.map((child) => branch(child, level + 1)));
    const turn = node.children.length ? h('button', {type: 'button', class: 'bare turn', 'aria-label': `Inside ${node.base}`, 'aria-expanded': String(open), on: {click: () => {
      const now = below.hidden;
      below.hidden = !now;
      turn.setAttribute('aria-expanded', String(now));
      closed[now ? 'delete' : 'add'](node.id);
      localStorage.setItem(CLOSED, JSON.stringify([...closed]));
    }}}, icon('right')) : h('span', {class: 'turn'});
    const item = h('div', {role: 'listitem', class: 'branch', 'aria-level': level, data: {id: node.id}},
      h('div', {class: 'branch-line'}, turn, icon('projects'),
        h('span', {class: 'grow'}, h('a', {href: `/projects/${node.id}/tasks`}, node.base), node.description && h('small', null, node.description)),
        node.running > 0 && h('span', {class: 'badge', data: {status: 'in_progress'}}, h('span', {class: 'dot'}), `${node.running} running`),
        h('span', {class: 'hint figure'}, counted(node.tasks, 'task')), h('span', {class: 'hint figure'}, when(node.updated)),
        menu(`Acts on ${node.name}`, () => [
          {text: 'Tasks', act: () => go(`/projects/${node.id}/tasks`)}, {text: 'Models', act: () => go(`/projects/${node.id}/models`)}, null,
          {text: 'Rename or move …', act: () => rename(node)}, {text: 'Delete …', danger: true, act: () => remove(node)}])),
      below);
    return item;
  }

  async function make() {
    const name = h('input', {required: true, value: inside ? `${nameOf('project', inside)}/` : ''});
    const text = h('textarea', {rows: 2});
    if (await ask({title: 'New project', body: [field('Name', name, 'Slashes put it inside another.'), field('Description', text)], act: 'Make',
      done: () => call('projects.create', {name: name.value.trim(), description: text.value})})) refresh();
  }

  /** @param {import('../data/projects.js').Node} node */
  async function rename(node) {
    const name = h('input', {required: true, value: node.name});
    const text = h('textarea', {rows: 2, value: node.description});
    if (await ask({title: 'Rename or move', body: [field('Name', name, 'Slashes put it inside another; what is inside it comes along.'), field('Description', text)], act: 'Save',
      done: () => call('projects.update', {project: node.id, name: name.value.trim(), description: text.value})})) { unlearn('project'); refresh(); }
  }

  /** @param {import('../data/projects.js').Node} node */
  async function remove(node) {
    const met = await call('projects.validate_delete', {project: node.id});
    const held = `${counted(met.tasks ?? 0, 'task')} and ${counted(met.models ?? 0, 'model')}`;
    const all = h('input', {type: 'checkbox', required: true});
    const done = await confirm(`Delete ${node.name}?`, met.tasks || met.models
      ? [h('p', null, `It holds ${held}, with those of the projects inside it. This can't be undone.`), h('label', {class: 'tick'}, all, `Delete ${held} too`)]
      : 'It is empty.', 'Delete', () => call('projects.delete', {project: node.id, force: true, delete_contents: true}));
    if (done) { unlearn('project'); refresh(); }
  }

  await live(refresh, 6000);
}

/**
 * @param {import('../data/projects.js').Node[]} nodes
 * @param {string} id
 * @returns {import('../data/projects.js').Node | undefined}
 */
function find(nodes, id) {
  for (const node of nodes) {
    const found = node.id === id ? node : find(node.children, id);
    if (found) return found;
  }
  return undefined;
}
