/** Projects: the tree, and what lies in each. */
import {call} from '../core/api.js';

/**
 * @typedef {{id: string, name: string, base: string, description: string, children: Node[], tasks: number, running: number, updated: string}} Node
 */

/**
 * The tree of all projects that aren't hidden, with the number of tasks of each.
 * @param {AbortSignal} signal
 * @returns {Promise<Node[]>}
 */
export async function projectTree(signal) {
  const {projects} = await call('projects.get_all', {only_fields: ['id', 'name', 'parent', 'description', 'last_update'], order_by: ['name']}, {signal});
  const counts = await taskCounts(signal);
  /** @type {Map<string, Node>} */
  const nodes = new Map(projects.map((/** @type {any} */ project) => [project.id, {
    id: project.id, name: project.name, base: project.name.split('/').pop(), description: project.description ?? '', children: [],
    tasks: counts.get(project.id)?.total ?? 0, running: counts.get(project.id)?.running ?? 0, updated: counts.get(project.id)?.updated ?? project.last_update,
  }]));
  const roots = [];
  for (const project of projects) {
    const node = /** @type {Node} */ (nodes.get(project.id));
    const parent = project.parent && nodes.get(project.parent);
    (parent ? parent.children : roots).push(node);
  }
  return roots;
}

/** @param {AbortSignal} signal */
async function taskCounts(signal) {
  const {projects} = await call('projects.get_all_ex', {include_stats: true, include_stats_filter: {system_tags: ['-archived']}, only_fields: ['id', 'last_update']}, {signal});
  return new Map(projects.map((/** @type {any} */ project) => {
    const active = project.stats?.active ?? {};
    return [project.id, {total: active.total_tasks ?? 0, running: active.status_count?.in_progress ?? 0, updated: project.last_update}];
  }));
}
