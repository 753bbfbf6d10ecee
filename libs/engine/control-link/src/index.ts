export {
  ControlLink,
  type ControlLinkOptions,
  type GetBlob,
  type LinkLog,
  type LinkStatus,
  type Report,
} from './control-link.js';
export { readStoredBlob } from './stored-blob.js';
export { entryKey } from './manifest.js';
export type { EntryName, LinkEntry, LinkEntryKind, ManifestChange, Refusal } from './manifest.js';
export type { BackOff } from './persistent-stream.js';
export type { QuotaGrant, QuotaRequest } from './quota.js';
