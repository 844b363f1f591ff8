/** Pipelines as the SDK's controllers store them: a graph in the configuration `Pipeline`. */
import {call} from '../core/api.js';

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string[]} parents
 * @property {string} status a task's status, or `pending`, `cached`, `skipped`
 * @property {string} task id of its task, or ''
 * @property {string} queue
 * @property {string} type
 * @property {string} stage
 * @property {number | null} started seconds since 1970
 * @property {number | null} ended
 * @property {Record<string, string>} parameters
 * @property {string} code name of the configuration with its code, or ''
 */

/** The projects in which pipelines keep their runs. */
export async function pipelineProjects(/** @type {AbortSignal} */ signal) {
  const {projects} = await call('projects.get_all', {
    system_tags: ['pipeline'], search_hidden: true, order_by: ['-last_update'], only_fields: ['id', 'name', 'last_update', 'tags', 'description'],
  }, {signal});
  return projects;
}

/**
 * The name of a pipeline, out of its project's.
 * @param {string} project such as `Sightline/.pipelines/barcodes`
 */
export function pipelineName(project) {
  const [owner, name] = project.split('/.pipelines/');
  return {owner, name: name ?? project};
}

/**
 * The steps of a run. What the controller wrote last may be older than its tasks: see `refreshed`.
 * @param {any} task a controller with `configuration.Pipeline` and `runtime`
 * @returns {Step[]}
 */
export function steps(task) {
  let stored;
  try {
    stored = JSON.parse(task.configuration?.Pipeline?.value ?? '{}');
  } catch {
    return [];
  }
  // A clone carries the graph of the run that it was cloned from.
  const fresh = !task.runtime?._pipeline_hash;
  return Object.entries(stored ?? {}).filter(([, step]) => step && typeof step === 'object').map(([name, /** @type {any} */ step]) => ({
    name,
    parents: (step.parents ?? []).filter((/** @type {string} */ parent) => parent in stored),
    status: fresh ? 'pending' : step.status || 'pending',
    task: fresh ? '' : step.job_id || step.executed || '',
    queue: step.queue ?? '',
    type: step.job_type ?? '',
    stage: step.stage ?? '',
    started: fresh ? null : step.job_started ?? null,
    ended: fresh ? null : step.job_ended ?? null,
    parameters: step.parameters ?? {},
    code: step.job_code_section ?? '',
  }));
}

/**
 * Steps with the status that their tasks have now.
 * @param {Step[]} found
 * @param {AbortSignal} signal
 * @returns {Promise<{steps: Step[], tasks: Map<string, any>}>}
 */
export async function refreshed(found, signal) {
  const ids = found.map((step) => step.task).filter(Boolean);
  const tasks = new Map();
  if (ids.length) {
    const answer = await call('tasks.get_all', {
      id: ids, search_hidden: true,
      only_fields: ['id', 'name', 'status', 'status_reason', 'status_message', 'started', 'completed', 'project', 'last_metrics', 'last_iteration', 'type', 'runtime.progress', 'active_duration'],
    }, {signal});
    for (const task of answer.tasks) tasks.set(task.id, task);
  }
  return {
    tasks,
    steps: found.map((step) => {
      const task = tasks.get(step.task);
      if (!task || ['cached', 'skipped'].includes(step.status)) return step;
      return {
        ...step,
        status: task.status === 'created' ? 'pending' : task.status,
        started: task.started ? Date.parse(task.started) / 1000 : step.started,
        ended: task.completed && task.status !== 'in_progress' ? Date.parse(task.completed) / 1000 : null,
      };
    }),
  };
}
