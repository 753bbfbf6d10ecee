/**
 * The thread that writes the disk store; see disk-thread.ts. One job after the other, each as plain system calls: what a change writes is eight of
 * them, and on the thread of requests each would be a hand-over to Node's pool and back. It also decodes blobs and checks what they are, and
 * gives their bytes away: the thread of requests gets them without a copy.
 */
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { decodedBlob, type BlobBytes } from './decoded-blob.ts';
import type { DiskJob, DiskThreadSettings, JobDone, JobFailure } from './disk-thread.js';

/** Where a core is shared, requests come first: some three times as much of it is theirs. */
const NICENESS = 5;

// Threads have a niceness of their own on Linux alone; elsewhere it would be the process's.
if (process.platform === 'linux') {
  try {
    os.setPriority(0, Math.min(19, os.getPriority(0) + NICENESS));
  } catch {
    // a sandbox that forbids it: the thread is as important as the others
  }
}

const { folderMode, fileMode } = workerData as DiskThreadSettings;
/** The file that is appended to stays open. */
let appending: { readonly place: string; readonly descriptor: number; length: number } | null = null;

parentPort!.on('message', (jobs: readonly DiskJob[]) => {
  const outcomes = jobs.map(outcomeOf);
  parentPort!.postMessage(
    outcomes,
    outcomes.flatMap((outcome) =>
      'content' in outcome && outcome.content !== null ? [outcome.content.buffer as ArrayBuffer] : [],
    ),
  );
});

function outcomeOf(job: DiskJob): JobDone | JobFailure {
  try {
    return { content: run(job) ?? null };
  } catch (cause) {
    const { message, code } = cause as NodeJS.ErrnoException;
    return { message, code: code ?? '' };
  }
}

function run(job: DiskJob): Uint8Array | null | void {
  switch (job.kind) {
    case 'blob':
      return writeBlob(job);
    case 'write':
      return write(job.place, job.draft, job.bytes);
    case 'append':
      return append(job.place, job.atByte, job.bytes);
    case 'remove':
      return rmSync(job.place, { force: true });
    case 'release':
      return release();
  }
}

function writeBlob({ place, draft, ...blob }: BlobBytes & { readonly place: string; readonly draft: string }): Uint8Array | null {
  const content = decodedBlob(blob);
  if (content === null) return null;
  write(place, draft, content);
  return ownBytes(content);
}

/** What is given away takes its whole memory along: of a piece of Node's pool that would be others' bytes, too. */
function ownBytes(content: Uint8Array): Uint8Array {
  return content.byteLength === content.buffer.byteLength ? content : new Uint8Array(content);
}

function write(place: string, draft: string, bytes: Uint8Array): void {
  try {
    writeFileSync(draft, bytes, { mode: fileMode });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    mkdirSync(path.dirname(draft), { recursive: true, mode: folderMode }); // the first file in it
    writeFileSync(draft, bytes, { mode: fileMode });
  }
  renameSync(draft, place);
}

function append(place: string, atByte: number, bytes: Uint8Array): void {
  if (appending?.place !== place) {
    release();
    const descriptor = openSync(place, 'r+');
    appending = { place, descriptor, length: fstatSync(descriptor).size };
  }
  const { descriptor, length } = appending;
  if (length !== atByte) ftruncateSync(descriptor, atByte);
  appending.length = -1; // until it is known again, a failed write has left any length
  const written = writeSync(descriptor, bytes, 0, bytes.length, atByte);
  if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
  fdatasyncSync(descriptor);
  appending.length = atByte + bytes.length;
}

function release(): void {
  const open = appending;
  appending = null;
  if (open !== null) closeSync(open.descriptor);
}
