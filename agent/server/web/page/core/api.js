/**
 * Calls to the ClearML API of the server that this page comes from.
 */
import {token, enter, forget} from './session.js';

const VERSION = '2.31';

/** A call that was refused, or that got no answer (`code` 0). */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} code HTTP status
   * @param {number} [subcode] the envelope's `result_subcode`
   */
  constructor(message, code, subcode = 0) {
    super(message);
    this.code = code;
    this.subcode = subcode;
  }
}

/**
 * Call an action.
 * @param {string} action such as `tasks.get_all`
 * @param {Record<string, any>} [body]
 * @param {{signal?: AbortSignal, anonymous?: boolean, authorization?: string}} [options]
 * @returns {Promise<any>} the answer's `data`
 */
export async function call(action, body = {}, options = {}) {
  const held = options.anonymous ? null : token();
  const authorization = options.authorization ?? (held && `Bearer ${held}`);
  const answer = await send(action, body, authorization, options.signal);
  if (answer.code !== 401 || options.anonymous || options.authorization) return settle(answer);
  // The token has expired or the server has a new key.
  forget(held);
  const fresh = await enter();
  if (!fresh) return settle(answer);
  return settle(await send(action, body, `Bearer ${fresh}`, options.signal));
}

/**
 * @param {string} action
 * @param {Record<string, any>} body
 * @param {string | null | undefined} authorization
 * @param {AbortSignal} [signal]
 */
async function send(action, body, authorization, signal) {
  let response;
  try {
    response = await fetch(`/v${VERSION}/${action}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(authorization ? {Authorization: authorization} : {}),
      },
      body: JSON.stringify(body),
      signal,
      credentials: 'same-origin',
    });
    const {meta, data} = await response.json();
    return {code: response.status, meta, data};
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('The server does not answer.', response?.status ?? 0);
  }
}

/** @param {{code: number, meta: any, data: any}} answer */
function settle({code, meta, data}) {
  if (code === 200) return data;
  throw new ApiError(readable(meta.result_msg ?? 'refused'), code, meta.result_subcode);
}

/** @param {string} message */
function readable(message) {
  const inner = /^(?:\w*Error|Validation error|Unauthorized) \((.*)\)$/s.exec(message);
  const text = inner ? inner[1] : message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Whether an error only says that the page was left.
 * @param {any} error
 */
export function left(error) {
  return error instanceof DOMException && error.name === 'AbortError';
}
