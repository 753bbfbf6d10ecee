// The inline part of a manifest entry as it stands in its column. A FUNCTION entry carries environment variables, where tenants keep
// passwords, a CERTIFICATE entry a private key, an ACCESS_KEY entry signing keys and a SERVICE_ACCESS entry credentials, so they are sealed;
// the others hold nothing that their nodes would not show.
import { Secret } from '@gatehouse/kernel';
import type { Sealer } from './seal.js';

/** Canonical JSON never starts like this. */
const SEALED = 'sealed:';
const SEALED_KINDS: ReadonlySet<string> = new Set(['FUNCTION', 'CERTIFICATE', 'ACCESS_KEY', 'SERVICE_ACCESS']);

interface EntryKey {
  readonly tenantId: string;
  readonly kind: string;
  readonly id: string;
}

export function inlineToColumn(sealer: Sealer, key: EntryKey, inline: string): string {
  if (!SEALED_KINDS.has(key.kind) || inline === '') return inline;
  return SEALED + Buffer.from(sealer.seal(new Secret(inline), placeOf(key))).toString('base64');
}

/** Throws when the value was sealed with another master key or for another entry. */
export function inlineFromColumn(sealer: Sealer, key: EntryKey, column: string): string {
  if (!column.startsWith(SEALED)) return column;
  return sealer.open(Buffer.from(column.slice(SEALED.length), 'base64'), placeOf(key)).reveal();
}

function placeOf({ tenantId, kind, id }: EntryKey): string {
  return `manifest_entries/${tenantId}/${kind}/${id}/inline`;
}
