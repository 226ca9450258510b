export function SharedArray(name, make) {
  return Object.freeze(make());
}
