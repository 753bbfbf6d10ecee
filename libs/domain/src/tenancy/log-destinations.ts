/**
 * URLs that take the lines of a tenant's log groups, by the ARN a stage names. An ARN without a URL is a log group of the nodes. The node
 * decides whether an address may be reached; here is what a URL may look like.
 */
import { badRequest } from '../errors.js';
import type { TextMap } from '../rest-apis/rest-api.js';

const DESTINATIONS_MAX = 100;
const URL_CHARS_MAX = 2_048;
/** A log group, or a delivery stream. */
const ARN =
  /^arn:aws[a-z-]*:(logs:[a-z0-9-]+:\d{12}:log-group:[A-Za-z0-9_/.#-]{1,512}|firehose:[a-z0-9-]+:\d{12}:deliverystream\/[A-Za-z0-9_.-]{1,64})$/;

/** `null` takes a URL away. Throws BadRequest with all that is wrong. */
export function changeLogDestinations(present: TextMap, changes: Readonly<Record<string, unknown>>): TextMap {
  const changed = new Map(Object.entries(present));
  const problems: string[] = [];
  for (const [name, url] of Object.entries(changes)) {
    const arn = name.replace(/:\*$/, '');
    if (!ARN.test(arn)) problems.push(`Invalid ARN "${name}": expected one of a log group or a delivery stream`);
    else if (url === null) changed.delete(arn);
    else if (isSinkUrl(url)) changed.set(arn, url);
    else problems.push(`Invalid URL for ${arn}: expected http or https without user and fragment, or null`);
  }
  if (changed.size > DESTINATIONS_MAX) problems.push(`${changed.size} log groups have a URL, at most ${DESTINATIONS_MAX} may`);
  if (problems.length > 0) throw badRequest(problems.join('; '));
  return Object.fromEntries(changed);
}

function isSinkUrl(text: unknown): text is string {
  if (typeof text !== 'string' || text.length > URL_CHARS_MAX || !/^https?:\/\/[\x21-\x7e]+$/.test(text)) return false;
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && url.username === '' && url.password === '' && !text.includes('#');
}
