import { badRequest } from '../errors.js';
import { checkPool, POOL_TAG } from '../publish/placement.js';
import type { TextMap } from '../rest-apis/rest-api.js';

/** API Gateway guide, "Tag restrictions". The wording of the refusals is ours. */
const TAGS_MAX = 50;
const KEY_CHARS_MAX = 128;
const VALUE_CHARS_MAX = 256;

/** What a tag with a few values says; `absent` without it. Throws BadRequest for a value that means nothing. */
export function choiceOfTag<V>(tags: TextMap, tag: string, values: Readonly<Record<string, V>>, absent: V): V {
  if (!Object.hasOwn(tags, tag)) return absent;
  const text = tags[tag]!;
  if (!Object.hasOwn(values, text))
    throw badRequest(`Invalid value of tag "${tag}": expected one of ${Object.keys(values).join(', ')}, got "${text}"`);
  return values[text]!;
}

/** Throws unless these may be all the tags of one resource; returns them. */
export function checkTags(tags: TextMap): TextMap {
  const entries = Object.entries(tags);
  if (entries.length > TAGS_MAX) throw badRequest(`A resource can have at most ${TAGS_MAX} tags`);
  for (const [key, value] of entries) {
    if (key === '' || key.length > KEY_CHARS_MAX) throw badRequest(`Invalid tag key: must have 1 to ${KEY_CHARS_MAX} characters`);
    // The store's JSON library drops it without a word.
    if (key === '__proto__') throw badRequest(`Invalid tag key "${key}": this name cannot be stored`);
    if (key.toLowerCase().startsWith('aws:')) throw badRequest(`Invalid tag key "${key}": aws: is a reserved prefix`);
    if (value.length > VALUE_CHARS_MAX)
      throw badRequest(`Invalid value of tag "${key}": must have at most ${VALUE_CHARS_MAX} characters`);
    if (key === POOL_TAG) checkPool(value, `value of tag "${key}"`);
  }
  return tags;
}
