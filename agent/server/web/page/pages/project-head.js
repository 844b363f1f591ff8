/** What the pages of a project have at their head. */
import {nameOf} from '../core/names.js';
import {tabs} from '../parts/tabs.js';

/**
 * @param {string | null} project
 * @returns {{text: string, to?: string}[]}
 */
export function projectCrumbs(project) {
  const crumbs = [{text: 'Projects', to: '/projects'}];
  if (!project) return crumbs;
  const pieces = nameOf('project', project).split('/');
  return [...crumbs, ...pieces.slice(0, -1).map((text) => ({text}))];
}

/**
 * @param {string} project an id, or `*`
 * @param {string} current
 */
export function projectTabs(project, current) {
  return tabs('Of this project', [
    ...(project === '*' ? [] : [{id: 'projects', text: 'Inside', to: `/projects/${project}`}]),
    {id: 'tasks', text: 'Tasks', to: `/projects/${project}/tasks`},
    {id: 'models', text: 'Models', to: `/projects/${project}/models`},
  ], current);
}
