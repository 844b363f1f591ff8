/**
 * The browser's token: kept for this address and port alone, which cookies are not.
 */
const KEY = 'sightline.token';
const RENEW_S = 7 * 24 * 3600;

/** @returns {string | null} */
export function token() {
  return localStorage.getItem(KEY);
}

/** @param {string} text */
export function keep(text) {
  localStorage.setItem(KEY, text);
}

/**
 * Forget a token, unless another page has put a new one in its place.
 * @param {string | null} [old]
 */
export function forget(old) {
  if (old === undefined || token() === old) localStorage.removeItem(KEY);
}

/** What a token says about its user. */
export function who() {
  try {
    const middle = (token() ?? '').split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(middle), (letter) => letter.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return {name: String(claims.identity.user_name), expires: Number(claims.exp)};
  } catch {
    return null;
  }
}

/** @type {Promise<string | null> | null} */
let entering = null;

/**
 * Get in without being asked: the server lets the browser of the user who runs it in.
 * @returns {Promise<string | null>} the token, or null if a key is needed
 */
export function enter() {
  entering ??= ask().finally(() => { entering = null; });
  return entering;
}

async function ask() {
  const {call, ApiError} = await import('./api.js');
  try {
    const answer = await call('web.login', {}, {anonymous: true});
    keep(answer.token);
    return answer.token;
  } catch (error) {
    if (error instanceof ApiError && error.code === 401) {
      window.dispatchEvent(new CustomEvent('sightline:login'));
      return null;
    }
    throw error;
  }
}

/** Change a token that is half used up for a new one. */
export async function renew() {
  const user = who();
  if (!user || user.expires - Date.now() / 1000 > RENEW_S) return;
  const {call} = await import('./api.js');
  keep((await call('auth.login', {expiration_sec: 2 * RENEW_S})).token);
}
