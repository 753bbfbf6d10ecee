import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Secret } from '@gatehouse/kernel';
import type { StoredSeal } from './change-log.js';
import type { LinkLog } from './manifest.js';
import { SNAPSHOT_PATH } from './sibling-snapshot.js';

/** Whole transfers; a sibling that hangs is given up for the next one. */
const TRANSFER_MS_MAX = 10 * 60_000;

/** What a node passes on: `null` while it has nothing that a control plane signed. */
export type TakeSnapshot = () => { readonly seal: StoredSeal; readonly chunks: AsyncIterable<Uint8Array> } | null;

/** Answers `GET /snapshot` on a node's admin port, for siblings that show the node token. */
export function serveSnapshots(
  take: TakeSnapshot,
  token: Secret,
  log: LinkLog,
): (request: IncomingMessage, response: ServerResponse) => void {
  const expected = digestOf(`Bearer ${token.reveal()}`);
  return (request, response) => {
    const refuse = (status: number, message: string) => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(`${JSON.stringify({ message })}\n`);
    };
    // Digests have one length, so that comparing them tells nothing about the token's.
    if (!timingSafeEqual(digestOf(request.headers.authorization ?? ''), expected)) {
      return refuse(401, 'the node token is wrong (GATEHOUSE_NODE_TOKEN)');
    }
    const snapshot = take();
    if (snapshot === null) return refuse(503, 'this node has no state that a control plane signed');
    log.info({ revision: snapshot.seal.revision }, 'a sibling takes a snapshot');
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' });
    pipeline(snapshot.chunks, response).catch((cause) => log.warn({ err: cause }, 'snapshot for a sibling was cut short'));
  };
}

/** Rejects when the sibling does not answer or has none. `url`: of its admin port. */
export async function fetchSnapshot(url: string, token: Secret): Promise<AsyncIterable<Uint8Array>> {
  const response = await fetch(new URL(SNAPSHOT_PATH, url), {
    headers: { authorization: `Bearer ${token.reveal()}` },
    redirect: 'error', // the token is for the siblings that were named
    signal: AbortSignal.timeout(TRANSFER_MS_MAX),
  });
  if (response.status === 200 && response.body !== null) return response.body;
  await response.body?.cancel();
  throw new Error(`${url} answered ${response.status}`);
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
