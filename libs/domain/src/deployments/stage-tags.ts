/** Tags of a stage that its nodes obey. */
import { parseNetwork } from '@gatehouse/kernel';
import { badRequest } from '../errors.js';
import type { TextMap } from '../rest-apis/rest-api.js';
import { choiceOfTag } from '../tenancy/tags.js';

/** Whether callers are told of their limits (docs/limits.md). AWS tells them nothing. */
export const LIMIT_HEADERS_TAG = 'gatehouse:limit-headers';
/** Networks whose callers are turned away before anything else is looked at, separated by blanks (docs/stages.md). */
export const BLOCKED_NETWORKS_TAG = 'gatehouse:blocked-networks';
/** What callers hear of paths and methods that are not there (docs/stages.md). */
export const UNKNOWN_PATHS_TAG = 'gatehouse:unknown-paths';

export interface StageTags {
  readonly tellsLimits: boolean;
  /** As `parseNetwork` reads them. */
  readonly blockedNetworks: readonly string[];
  /** `FORBIDDEN`: MISSING_AUTHENTICATION_TOKEN, as on AWS. */
  readonly unknownPaths: 'FORBIDDEN' | 'NOT_FOUND';
}

/** Throws BadRequest for a value that means nothing. */
export function readStageTags(tags: TextMap): StageTags {
  return {
    tellsLimits: choiceOfTag(tags, LIMIT_HEADERS_TAG, { on: true, off: false }, true),
    blockedNetworks: readNetworks(tags),
    unknownPaths: choiceOfTag(tags, UNKNOWN_PATHS_TAG, { forbidden: 'FORBIDDEN', 'not-found': 'NOT_FOUND' }, 'FORBIDDEN'),
  };
}

/** Whether nodes have to hear of a change of tags. */
export function isPublishedChange(before: TextMap, after: TextMap): boolean {
  return [LIMIT_HEADERS_TAG, BLOCKED_NETWORKS_TAG, UNKNOWN_PATHS_TAG].some((tag) => before[tag] !== after[tag]);
}

function readNetworks(tags: TextMap): readonly string[] {
  if (!Object.hasOwn(tags, BLOCKED_NETWORKS_TAG)) return [];
  const networks = tags[BLOCKED_NETWORKS_TAG]!.split(/\s+/).filter((text) => text !== '');
  const wrong = networks.find((text) => parseNetwork(text) === null);
  if (wrong !== undefined || networks.length === 0) {
    throw badRequest(
      `Invalid value of tag "${BLOCKED_NETWORKS_TAG}": expected networks or addresses separated by blanks, such as 203.0.113.0/24, got "${wrong ?? ''}"`,
    );
  }
  return networks;
}
