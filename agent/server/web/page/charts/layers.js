/** Where the steps of a graph go: in columns by what they wait for, with few crossings. */

/**
 * @template {{name: string, parents: string[]}} T
 * @param {T[]} steps
 * @returns {{step: T, column: number, row: number}[]} rows may be fractions, from 0
 */
export function layers(steps) {
  const byName = new Map(steps.map((step) => [step.name, step]));
  /** @type {Map<string, number>} */
  const depth = new Map();
  const visiting = new Set();
  const depthOf = (/** @type {T} */ step) => {
    const known = depth.get(step.name);
    if (known !== undefined) return known;
    if (visiting.has(step.name)) return 0; // a loop can't run, but it can be looked at
    visiting.add(step.name);
    const found = Math.max(-1, ...step.parents.map((name) => byName.get(name)).filter((parent) => parent).map((parent) => depthOf(/** @type {T} */ (parent)))) + 1;
    depth.set(step.name, found);
    return found;
  };
  /** @type {T[][]} */
  const columns = [];
  for (const step of steps) (columns[depthOf(step)] ??= []).push(step);
  const children = new Map(steps.map((step) => [step.name, steps.filter((other) => other.parents.includes(step.name)).map((other) => other.name)]));
  /** @type {Map<string, number>} */
  const row = new Map();
  const settle = (/** @type {T[]} */ column) => column.forEach((step, at) => row.set(step.name, at - (column.length - 1) / 2));
  columns.forEach(settle);
  const mean = (/** @type {string[]} */ names, /** @type {number} */ otherwise) => (
    names.length ? names.reduce((sum, name) => sum + (row.get(name) ?? 0), 0) / names.length : otherwise);
  for (let sweep = 0; sweep < 6; sweep += 1) {
    const forward = sweep % 2 === 0;
    for (const column of forward ? columns : [...columns].reverse()) {
      const pull = new Map(column.map((step) => [step.name, mean(forward ? step.parents : children.get(step.name) ?? [], row.get(step.name) ?? 0)]));
      column.sort((a, b) => (pull.get(a.name) ?? 0) - (pull.get(b.name) ?? 0));
      settle(column);
    }
  }
  const least = Math.min(0, ...row.values());
  return steps.map((step) => ({step, column: depth.get(step.name) ?? 0, row: (row.get(step.name) ?? 0) - least}));
}

/**
 * The parents of a step that aren't waited for by way of another parent: the edges worth drawing.
 * @template {{name: string, parents: string[]}} T
 * @param {T} step
 * @param {T[]} steps
 * @returns {string[]}
 */
export function direct(step, steps) {
  const byName = new Map(steps.map((one) => [one.name, one]));
  /** @type {Set<string>} */
  const further = new Set();
  const walk = (/** @type {string} */ name) => {
    for (const parent of byName.get(name)?.parents ?? []) {
      if (further.has(parent)) continue;
      further.add(parent);
      walk(parent);
    }
  };
  step.parents.forEach(walk);
  return step.parents.filter((parent) => !further.has(parent));
}
