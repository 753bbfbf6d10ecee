export { readRelease, releaseNames, type FrozenMessage, type Release } from './release.js';
export { samples, type Sample } from './samples.js';
