/** Files of the file server: shown and fetched with the token, without putting it into addresses. */
import {call} from './api.js';
import {token} from './session.js';

const LOCAL = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * The address of a file on this server; null if it lies elsewhere. Stored addresses name the host
 * and port of their time; this machine's own file server is this one.
 * @param {string | undefined | null} url
 * @returns {string | null}
 */
export function ownPath(url) {
  if (!url) return null;
  try {
    const found = new URL(url, location.origin);
    const here = found.host === location.host
      || (LOCAL.test(found.hostname) && (LOCAL.test(location.hostname) || found.port === location.port));
    return here && /^https?:$/.test(found.protocol) && found.pathname.startsWith('/files/')
      ? found.pathname
      : null;
  } catch {
    return null;
  }
}

/**
 * Whether an address may be a link: the rest could run a script.
 * @param {string | undefined | null} url
 */
export function linkable(url) {
  return /^https?:\/\//i.test(url ?? '');
}

/**
 * A file of this server as an address that elements can show. Freed when the page is left.
 * @param {string} path from `ownPath`
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
export async function shown(path, signal) {
  const blob = await fetched(path, signal);
  const url = URL.createObjectURL(blob);
  signal.addEventListener('abort', () => URL.revokeObjectURL(url), {once: true});
  return url;
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 */
export async function fetched(path, signal) {
  const response = await fetch(path, {headers: {Authorization: `Bearer ${token()}`}, signal});
  if (!response.ok) throw new Error(`${response.status}: ${(await response.text()).slice(0, 200)}`);
  return response.blob();
}

/**
 * Have the browser download a file of this server, however large.
 * @param {string} path
 */
export async function download(path) {
  const {ticket} = await call('web.get_ticket', {path: decodeURIComponent(path)});
  const link = document.createElement('a');
  link.href = `${path}?ticket=${encodeURIComponent(ticket)}`;
  link.download = decodeURIComponent(path.split('/').pop() ?? 'file');
  link.click();
}
