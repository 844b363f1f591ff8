/** The addresses of things. */

/**
 * @param {{id: string, project?: any}} task
 * @param {string} [tab]
 */
export function taskLink(task, tab = '') {
  return `/projects/${projectOf(task)}/tasks/${task.id}${tab ? `/${tab}` : ''}`;
}

/** @param {{id: string, project?: any}} task */
export function pipelineLink(task) {
  return `/pipelines/${projectOf(task)}/tasks/${task.id}`;
}

/** @param {{id: string}} model */
export function modelLink(model) {
  return `/projects/*/models/${model.id}`;
}

/** @param {{id: string, project?: any}} task */
export function datasetLink(task) {
  return `/datasets/simple/${projectOf(task)}/tasks/${task.id}`;
}

/** @param {{id: string, project?: any}} report */
export function reportLink(report) {
  return `/reports/${projectOf(report)}/${report.id}`;
}

/** @param {{project?: any}} thing */
function projectOf(thing) {
  return (typeof thing.project === 'string' ? thing.project : thing.project?.id) || '*';
}
