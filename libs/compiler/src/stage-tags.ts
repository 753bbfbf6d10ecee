import type { StageSnapshot } from '@gatehouse/contracts';
import { ApiError, readStageTags, type Stage, type StageTags } from '@gatehouse/domain';
import { compareText } from './diagnostics.js';

/** What a stage's tags say, or why nobody can tell: a tag may be older than its meaning. */
export function stageTagsOf({ tags }: Stage): { readonly said: StageTags; readonly problem: string | null } {
  try {
    return { said: readStageTags(tags), problem: null };
  } catch (error) {
    if (error instanceof ApiError) return { said: readStageTags({}), problem: error.message };
    throw error;
  }
}

/** `isServed`: the stage's requests are not all refused. */
export function compileTags(
  { tellsLimits, blockedNetworks, unknownPaths }: StageTags,
  isPrivate: boolean,
  isServed: boolean,
): Pick<StageSnapshot, 'limitHeaders' | 'blockedNetworks' | 'notFound'> {
  return {
    ...(!tellsLimits && { limitHeaders: false }),
    ...(blockedNetworks.length > 0 && { blockedNetworks: [...new Set(blockedNetworks)].sort(compareText) }),
    ...(unknownPaths === 'NOT_FOUND' && isServed && { notFound: { isPrivate } }),
  };
}
