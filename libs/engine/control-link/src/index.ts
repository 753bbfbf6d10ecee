export { ControlLink, type ControlLinkOptions, type LinkStatus, type Report } from './control-link.js';
export type { Files } from './files.js';
export { readStoredBlob } from './stored-blob.js';
export { entryKey } from './manifest.js';
export type { EntryName, GetBlob, LinkEntry, LinkEntryKind, LinkLog, ManifestChange, Refusal } from './manifest.js';
export type { BackOff } from './persistent-stream.js';
export type { LeaseBookState, QuotaGrant, QuotaRequest, RateDemand, RateLease } from './quota.js';
export type { ControlTransport, OpenTransport, StreamCall } from './transport.js';
export { serveSnapshots, type TakeSnapshot } from './siblings.js';
