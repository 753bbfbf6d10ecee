/** Versions of the node protocol, both included. */
export interface ProtocolRange {
  readonly oldest: number;
  readonly newest: number;
}

/**
 * What this release speaks. A new number is for what a peer must know of before it is used; a field or a message that an older peer
 * may ignore needs none.
 *
 *   0   the release before versions: 0.1
 *   1   versions are told
 */
export const PROTOCOL: ProtocolRange = { oldest: 0, newest: 1 };

/** The newest version both speak; `null` when there is none. */
export function agreedProtocol(ours: ProtocolRange, theirs: ProtocolRange): number | null {
  const newest = Math.min(ours.newest, theirs.newest);
  return newest >= ours.oldest && newest >= theirs.oldest ? newest : null;
}
