import {
  EntryKind,
  ManifestEntrySchema,
  NodeRole,
  type SealSchema,
  type ManifestEntry as ManifestEntryMessage,
} from '@gatehouse/contracts';
import type { EntryKind as EntryKindName, ManifestEntry, NodeRecord } from '@gatehouse/domain';
import { create, type MessageInitShape } from '@bufbuild/protobuf';

/** Which entries a role is sent. */
export const KINDS_OF_ROLE = {
  DATA_PLANE: ['STAGE', 'USAGE_PLAN', 'API_KEY', 'DOMAIN_NAME', 'CERTIFICATE', 'ACCESS_KEY', 'SERVICE_ACCESS'],
  FUNCTION_RUNNER: ['FUNCTION'],
} as const satisfies Record<NodeRecord['role'], readonly EntryKindName[]>;

/** Those of the role that the node understands; all when it does not say. */
export function kindsOf(role: NodeRecord['role'], understood: readonly EntryKind[]): readonly EntryKindName[] {
  const kinds = KINDS_OF_ROLE[role];
  return understood.length === 0 ? kinds : kinds.filter((kind) => understood.includes(EntryKind[kind]));
}

export function roleFromWire(role: NodeRole): NodeRecord['role'] | null {
  if (role === NodeRole.DATA_PLANE) return 'DATA_PLANE';
  if (role === NodeRole.FUNCTION_RUNNER) return 'FUNCTION_RUNNER';
  return null;
}

export function kindFromWire(kind: EntryKind): EntryKindName | null {
  switch (kind) {
    case EntryKind.STAGE:
      return 'STAGE';
    case EntryKind.USAGE_PLAN:
      return 'USAGE_PLAN';
    case EntryKind.API_KEY:
      return 'API_KEY';
    case EntryKind.FUNCTION:
      return 'FUNCTION';
    case EntryKind.DOMAIN_NAME:
      return 'DOMAIN_NAME';
    case EntryKind.CERTIFICATE:
      return 'CERTIFICATE';
    case EntryKind.ACCESS_KEY:
      return 'ACCESS_KEY';
    case EntryKind.SERVICE_ACCESS:
      return 'SERVICE_ACCESS';
    default:
      return null;
  }
}

/** A seal before it is a message. */
export interface SealFields {
  readonly revision: number;
  readonly root: Uint8Array;
  readonly sealedAtMs: number;
  readonly signature: Uint8Array;
}

export const sealToWire = ({ revision, root, sealedAtMs, signature }: SealFields): MessageInitShape<typeof SealSchema> => ({
  revision: BigInt(revision),
  root,
  sealedAtMs: BigInt(sealedAtMs),
  signature,
});

const utf8 = new TextEncoder();

export function entryToWire(entry: ManifestEntry): ManifestEntryMessage {
  const { kind, id, tenant, revision, content } = entry;
  return create(ManifestEntrySchema, {
    kind: EntryKind[kind],
    id,
    tenant,
    revision: BigInt(revision),
    state:
      content === null
        ? { case: 'removed', value: true }
        : {
            case: 'content',
            value: { digest: content.digest ?? '', blobBytes: BigInt(content.blobBytes), inline: utf8.encode(content.inline) },
          },
  });
}
