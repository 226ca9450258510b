// What k6 gives to a script, as far as ours uses it, and notes of what the script did.

export const notes = { checks: {}, errors: [], posts: [] };

export function check(value, conditions) {
  const found = Object.entries(conditions).map(([name, holds]) => [name, Boolean(holds(value))]);
  for (const [name, held] of found) {
    (notes.checks[name] = notes.checks[name] || []).push(held);
  }
  return found.every(([, held]) => held);
}
