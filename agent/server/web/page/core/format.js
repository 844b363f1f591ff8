/** How numbers, times and sizes are written. */

/**
 * @param {any} value
 * @returns {string}
 */
export function number(value) {
  if (value === null || value === undefined || value === '') return '–';
  const found = Number(value);
  if (!Number.isFinite(found)) return String(value);
  if (Number.isInteger(found) && Math.abs(found) < 1e9) return found.toLocaleString('en');
  const size = Math.abs(found);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return found.toExponential(2).replace('e+', 'e');
  return String(Number(found.toPrecision(4)));
}

/**
 * @param {number | null | undefined} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/**
 * Seconds that a task has run, or None.
 * @param {{started?: string, completed?: string, status?: string, active_duration?: number}} task
 * @returns {number | null}
 */
export function ran(task) {
  if (!task.started) return null;
  const begun = Date.parse(task.started);
  if (task.status === 'in_progress') return (Date.now() - begun) / 1000;
  if (task.completed) return (Date.parse(task.completed) - begun) / 1000;
  return task.active_duration ?? null;
}

/**
 * A moment as people say it; the exact one belongs into a title.
 * @param {string | undefined | null} moment
 * @returns {string}
 */
export function ago(moment) {
  if (!moment) return '–';
  const seconds = (Date.now() - Date.parse(moment)) / 1000;
  if (seconds < 10) return 'now';
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86400) return `${Math.floor(seconds / 86400)} d ago`;
  return exact(moment).slice(0, 10);
}

/**
 * @param {string | number | undefined | null} moment
 * @returns {string}
 */
export function exact(moment) {
  if (!moment) return '–';
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return String(moment);
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `
    + `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/**
 * @param {number | null | undefined} bytes
 * @returns {string}
 */
export function size(bytes) {
  if (bytes === null || bytes === undefined || !Number.isFinite(Number(bytes))) return '–';
  let left = Number(bytes);
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (left < 1000) return `${unit === 'B' ? left : left.toPrecision(3)} ${unit}`;
    left /= 1000;
  }
  return `${left.toPrecision(3)} TB`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export function counted(count, one, many) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many ?? `${one}s`}`;
}
