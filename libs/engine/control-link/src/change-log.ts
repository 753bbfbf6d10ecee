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
const LINE_FEED = 10;
/** How the record of a line that is not the last one of its base ends, and no other. */
const OPEN_END = ',"open":true}';
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

  /**
   * The changes since an empty node, the base first; none when there is no whole base. Each is read when it is asked for: together,
   * those of a large node are gigabytes.
   */
  async read(): Promise<Iterable<StoredChange>> {
    const bytes = (await this.files.read(FILE)) ?? Buffer.alloc(0);
    const ends: number[] = [];
    let checksum = FORMAT;
    let isBaseWhole = false;
    let from = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, from)) {
      const record = recordOf(bytes, from, end);
      const sum = checksumOf(checksum, record);
      if (bytes.toString('latin1', from, from + CHECKSUM_CHARS + 1) !== `${sum} `) break;
      checksum = sum;
      ends.push(end);
      from = end + 1;
      if (!isBaseWhole && !record.endsWith(OPEN_END)) {
        isBaseWhole = true;
        this.baseLength = from;
      }
    }
    if (!isBaseWhole) return [];
    this.checksum = checksum;
    this.length = from; // what is behind it is cut off by the next change
    this.isBehind = false;
    return changesIn(bytes, ends);
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
        yield line(JSON.stringify({ ...nothing, entries: batch, open: true })); // `open` last: see OPEN_END
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

function* changesIn(bytes: Buffer, ends: readonly number[]): Generator<StoredChange> {
  let from = 0;
  for (const end of ends) {
    const change = JSON.parse(recordOf(bytes, from, end)) as StoredChange & { open?: boolean };
    delete change.open;
    yield change;
    from = end + 1;
  }
}

const recordOf = (bytes: Buffer, from: number, end: number): string => bytes.toString('utf8', from + CHECKSUM_CHARS + 1, end);

const checksumOf = (before: string, record: string): string => sha256Hex(before + record).slice(0, CHECKSUM_CHARS);
