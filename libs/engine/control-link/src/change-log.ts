/**
 * The manifest on the node's disk: one file, one line per change, so that a change costs what it holds and not what the
 * node has.
 *
 *   line = first 16 hex characters of SHA-256(checksum of the line before | record) SPACE record LF
 *   record = canonical JSON of a StoredChange
 *
 * The first lines are the base: the whole manifest, all but its last line marked `open`. The changes after it follow. A line
 * whose checksum does not fit ends what is read: it is the one a crash cut short, or something after it is damaged, and
 * then the state before it is a good one; the control plane tells what came later. A base that is not whole is as good as
 * none. When the changes outweigh the base, a new file is written beside the old one and takes its place.
 */
import type { EntryKind, NodeRole } from '@gatehouse/contracts';
import { sha256Hex } from '@gatehouse/kernel';
import type { Files } from './files.js';
import type { EntryName, LinkEntry } from './manifest.js';

/** A seal of the control plane as it is kept and passed on; see Seal in node_link.proto. */
export interface StoredSeal {
  readonly revision: number;
  readonly role: NodeRole;
  readonly kinds: readonly EntryKind[];
  readonly pool: string;
  readonly sealedAtMs: number;
  /** Hex. */
  readonly root: string;
  /** Hex; empty when the control plane signs none. */
  readonly signature: string;
}

export interface StoredChange {
  readonly revision: number;
  /** As the control plane published them. */
  readonly entries: readonly LinkEntry[];
  readonly removed: readonly EntryName[];
  /** Older forms that are served because the newest was refused. */
  readonly lastGood: readonly LinkEntry[];
  /** No older form of these is served any more. */
  readonly settled: readonly EntryName[];
  /** Of the state after this change. */
  readonly seal: StoredSeal | null;
}

const FILE = 'manifest.log';
const FORMAT = 'gatehouse manifest log 2';
const CHECKSUM_CHARS = 16;
/** Entries per line of a base: bounds what is in memory as text at once. */
const BASE_ENTRIES_PER_LINE = 1_000;
/** Below this, compaction is not worth its write. */
const COMPACT_BYTES_MIN = 1024 * 1024;

export class ChangeLog {
  private checksum = FORMAT;
  private length = 0;
  private baseLength = 0;
  /** The file does not hold all that was to be added to it. */
  isBehind = true;

  constructor(private readonly files: Files) {}

  /** The changes since an empty node, the base first; none when there is no whole base. */
  async read(): Promise<StoredChange[]> {
    const bytes = await this.files.read(FILE);
    const changes: StoredChange[] = [];
    if (bytes === null) return changes;
    let checksum = FORMAT;
    let from = 0;
    let isBaseWhole = false;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const line = bytes.toString('utf8', from, end);
      const record = line.slice(CHECKSUM_CHARS + 1);
      const sum = checksumOf(checksum, record);
      if (line.slice(0, CHECKSUM_CHARS + 1) !== `${sum} `) break;
      const { open, ...change } = JSON.parse(record) as StoredChange & { open?: boolean };
      changes.push(change);
      checksum = sum;
      from = end + 1;
      if (!isBaseWhole && open !== true) {
        isBaseWhole = true;
        this.baseLength = from;
      }
    }
    if (!isBaseWhole) return [];
    this.checksum = checksum;
    this.length = from; // what is behind it is cut off by the next change
    this.isBehind = false;
    return changes;
  }

  /** Resolves when the change is on the disk. After a failure everything is to be written anew, with `rewrite`. */
  async append(change: StoredChange): Promise<void> {
    const record = JSON.stringify(change);
    const checksum = checksumOf(this.checksum, record);
    const line = Buffer.from(`${checksum} ${record}\n`);
    this.isBehind = true;
    await this.files.append(FILE, this.length, line);
    this.isBehind = false;
    this.checksum = checksum;
    this.length += line.length;
  }

  /** True when the next change is to be written by `rewrite`. */
  get needsRewrite(): boolean {
    return this.isBehind || this.length - this.baseLength > Math.max(COMPACT_BYTES_MIN, this.baseLength);
  }

  /** Replaces everything by the state as it is. */
  async rewrite(state: Omit<StoredChange, 'entries' | 'removed' | 'settled'> & { entries: Iterable<LinkEntry> }): Promise<void> {
    let checksum = FORMAT;
    let length = 0;
    const line = (record: string): Buffer => {
      checksum = checksumOf(checksum, record);
      const bytes = Buffer.from(`${checksum} ${record}\n`);
      length += bytes.length;
      return bytes;
    };
    function* lines(): Generator<Uint8Array> {
      const { entries, ...rest } = state;
      let batch: LinkEntry[] = [];
      const nothing = { revision: state.revision, removed: [], lastGood: [], settled: [], seal: null };
      for (const entry of entries) {
        batch.push(entry);
        if (batch.length < BASE_ENTRIES_PER_LINE) continue;
        yield line(JSON.stringify({ ...nothing, entries: batch, open: true }));
        batch = [];
      }
      yield line(JSON.stringify({ ...nothing, ...rest, entries: batch }));
    }
    this.isBehind = true;
    await this.files.replace(FILE, lines());
    this.isBehind = false;
    this.checksum = checksum;
    this.length = this.baseLength = length;
  }
}

const checksumOf = (before: string, record: string): string => sha256Hex(before + record).slice(0, CHECKSUM_CHARS);
