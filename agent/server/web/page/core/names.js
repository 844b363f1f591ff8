/** Names behind ids, asked for once and together. */
import {call} from './api.js';

/** @type {Record<string, {action: string, list: string}>} */
const KINDS = {
  project: {action: 'projects.get_all', list: 'projects'},
  user: {action: 'users.get_all', list: 'users'},
  queue: {action: 'queues.get_all', list: 'queues'},
  task: {action: 'tasks.get_all', list: 'tasks'},
  model: {action: 'models.get_all', list: 'models'},
};

/** @type {Map<string, string>} */
const known = new Map();

/**
 * Look up names; afterwards `nameOf` knows them.
 * @param {string} kind
 * @param {(string | undefined | null)[]} ids
 */
export async function learn(kind, ids) {
  const fresh = [...new Set(ids)].filter((id) => id && !known.has(`${kind}/${id}`));
  if (!fresh.length) return;
  const {action, list} = KINDS[kind];
  const answer = await call(action, {id: fresh, only_fields: ['id', 'name'], search_hidden: true});
  for (const item of answer[list] ?? []) known.set(`${kind}/${item.id}`, item.name);
  for (const id of fresh) {
    if (!known.has(`${kind}/${id}`)) known.set(`${kind}/${id}`, '');
  }
}

/**
 * @param {string} kind
 * @param {string | undefined | null} id
 * @returns {string}
 */
export function nameOf(kind, id) {
  return (id && known.get(`${kind}/${id}`)) || '';
}

/** @param {string} kind */
export function unlearn(kind) {
  for (const key of known.keys()) if (key.startsWith(`${kind}/`)) known.delete(key);
}
