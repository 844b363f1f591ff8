/** How a task is: one word, one colour, one shape. */
import {h} from '../core/dom.js';

/** @type {Record<string, string>} */
const WORDS = {
  created: 'draft',
  queued: 'queued',
  in_progress: 'running',
  stopped: 'aborted',
  completed: 'completed',
  failed: 'failed',
  published: 'published',
  publishing: 'publishing',
  closed: 'closed',
  pending: 'pending',
  cached: 'cached',
  skipped: 'skipped',
  unknown: 'unknown',
};

/** Statuses from which a task doesn't move by itself. */
export const ENDED = new Set(['completed', 'failed', 'stopped', 'published', 'closed']);

/** Statuses to filter by. */
export const STATUSES = ['created', 'queued', 'in_progress', 'completed', 'failed', 'stopped', 'published'];

/** @param {string | undefined} status */
export function word(status) {
  return WORDS[status ?? 'unknown'] ?? status ?? 'unknown';
}

/**
 * @param {string | undefined} status
 * @param {string} [reason] more, as a tip
 */
export function badge(status, reason) {
  return h('span', {class: 'badge', data: {status: status ?? 'unknown'}, title: reason || null},
    h('span', {class: 'dot', 'aria-hidden': 'true'}), word(status));
}
