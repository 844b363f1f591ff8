/** Scales and their ticks. */

/**
 * Round numbers between two bounds.
 * @param {number} low
 * @param {number} high
 * @param {number} count about how many
 * @returns {number[]}
 */
export function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? raw;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) {
    found.push(Number((at * step).toPrecision(12)));
  }
  return found;
}

/**
 * Powers of ten between two bounds, and their halves where there are few.
 * @param {number} low
 * @param {number} high
 */
export function logTicks(low, high) {
  const found = [];
  const decades = Math.log10(high / low);
  const parts = decades < 2 ? [1, 2, 5] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const part of parts) {
      const at = part * 10 ** power;
      if (at >= low * 0.999 && at <= high * 1.001) found.push(at);
    }
  }
  const every = Math.ceil(found.length / 8);
  return found.filter((_, at) => at % every === 0);
}

/**
 * @param {number} value
 * @param {number} span of the whole axis
 * @returns {string}
 */
export function tickText(value, span) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(1).replace('e+', 'e').replace('.0e', 'e');
  if (size >= 1e4) return `${Number((value / 1000).toPrecision(4))}k`;
  const digits = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(span || size))));
  return String(Number(value.toFixed(digits)));
}

/**
 * @param {number} value ms since 1970, or seconds if relative
 * @param {string} axis
 * @param {number} span
 */
export function xText(value, axis, span) {
  if (axis === 'iter') return tickText(value, span);
  if (axis === 'relative') {
    return span > 7200 ? `${Number((value / 3600).toFixed(1))} h` : span > 180 ? `${Number((value / 60).toFixed(1))} min` : `${Number(value.toFixed(1))} s`;
  }
  const date = new Date(value);
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
  return span > 2 * 86400e3
    ? `${two(date.getMonth() + 1)}-${two(date.getDate())}`
    : `${two(date.getHours())}:${two(date.getMinutes())}${span < 300e3 ? `:${two(date.getSeconds())}` : ''}`;
}

/**
 * An exponential mean that begins without a lean to zero.
 * @param {(number | null)[]} values
 * @param {number} weight of the past, from 0 to 1
 */
export function smoothed(values, weight) {
  if (!weight) return values;
  let sum = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return value;
    sum = sum * weight + value;
    total = total * weight + 1;
    return sum / total;
  });
}
