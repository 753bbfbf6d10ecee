/** Servers that speak the protocols of AWS services, on ports of their own. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Secret, systemClock } from '@gatehouse/kernel';
import { readClaim, SignatureVerifier } from '@gatehouse/sigv4';

const require = createRequire(import.meta.url);
type Emulator = (options: object) => Server;

export interface RunningServer {
  readonly url: string;
  close(): Promise<void>;
}

async function listening(server: Server): Promise<RunningServer> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const startDynamoDb = (): Promise<RunningServer> =>
  listening((require('dynalite') as Emulator)({ createTableMs: 0, deleteTableMs: 0 }));

export const startKinesis = (): Promise<RunningServer> => listening((require('kinesalite') as Emulator)({ createStreamMs: 0 }));

/** s3rver knows one key and checks its signatures. */
export const S3_KEY = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

export async function startS3(bucket: string): Promise<RunningServer> {
  const S3rver = require('s3rver') as new (options: object) => { run(): Promise<AddressInfo>; close(): Promise<void> };
  const directory = mkdtempSync(path.join(tmpdir(), 'gatehouse-s3-'));
  const options = { address: '127.0.0.1', port: 0, silent: true, directory, configureBuckets: [{ name: bucket }] };
  const server = new S3rver(options);
  const { port } = await server.run();
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

export interface ReceivedCall {
  readonly service: string;
  readonly region: string;
  readonly httpMethod: string;
  readonly url: string;
  readonly target: string | null;
  readonly contentType: string | null;
  readonly body: string;
}

/** For services without a server of that kind: takes what is signed with the key, remembers it, and answers as `answer` says. */
export async function startRecorder(
  key: { readonly accessKeyId: string; readonly secretAccessKey: string },
  answer: (call: ReceivedCall) => { readonly status: number; readonly body: string },
): Promise<RunningServer & { readonly calls: ReceivedCall[] }> {
  const calls: ReceivedCall[] = [];
  const verifier = new SignatureVerifier(systemClock);
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const headers = request.headers as Record<string, string | undefined>;
      const signed = { method: request.method!, rawUrl: request.url!, headers, body };
      const claim = readClaim(signed);
      if ('fault' in claim) return response.writeHead(403).end(JSON.stringify(claim.fault));
      const { service, region, accessKeyId } = claim.claim;
      const secret = new Secret(accessKeyId === key.accessKeyId ? key.secretAccessKey : 'of somebody else');
      const policy = { services: [service], isValidRegion: () => true };
      const fault = verifier.verify(signed, claim.claim, { secret, enabled: true, session: null }, policy);
      if (fault !== null) return response.writeHead(403).end(JSON.stringify(fault));
      const call: ReceivedCall = {
        service,
        region,
        httpMethod: request.method!,
        url: request.url!,
        target: headers['x-amz-target'] ?? null,
        contentType: headers['content-type'] ?? null,
        body: body.toString('utf8'),
      };
      calls.push(call);
      const { status, body: text } = answer(call);
      return response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(text);
    });
  });
  return { ...(await listening(server)), calls };
}
