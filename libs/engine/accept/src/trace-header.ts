import type { Randomness } from './randomness.js';

const ROOT_NAME = 'Root=';
const ROOT = /^1-[0-9a-f]{8}-[0-9a-f]{24}$/i;
const PARENT = /^[0-9a-f]{16}$/i;

/**
 * The completed `X-Amzn-Trace-Id` (data-plane reference §1.7): Root, Parent and Sampled of the caller where they are well-formed, fresh
 * ones else; sampled when the caller had a Parent.
 */
export function completeTrace(incoming: string | null, nowMs: number, random: Randomness): string {
  if (incoming === null) return rootTime(nowMs) + random.untracedEnd();
  let root: string | null = null;
  let parent: string | null = null;
  let sampled: string | null = null;
  for (const field of incoming.split(';', 20)) {
    const equals = field.indexOf('=');
    const name = field.slice(0, equals).trim();
    const value = field.slice(equals + 1).trim();
    if (name === 'Root' && ROOT.test(value)) root = value;
    else if (name === 'Parent' && PARENT.test(value)) parent = value;
    else if (name === 'Sampled' && (value === '0' || value === '1')) sampled = value;
  }
  sampled ??= parent === null ? '0' : '1';
  root ??= freshRoot(nowMs, random);
  parent ??= random.hex(16);
  return `Root=${root};Parent=${parent};Sampled=${sampled}`;
}

let knownSecond = -1;
let knownSecondText = '';

/** `Root=1-` and the second, as a root has it. */
function rootTime(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== knownSecond) {
    knownSecond = second;
    knownSecondText = `${ROOT_NAME}1-${second.toString(16).padStart(8, '0')}-`;
  }
  return knownSecondText;
}

function freshRoot(nowMs: number, random: Randomness): string {
  return rootTime(nowMs).slice(ROOT_NAME.length) + random.hex(24);
}
