/** Functions as the control plane publishes them, from one file of JavaScript each. */
import type { FunctionEntry } from '@gatehouse/contracts';
import type { InMemoryStore } from '@gatehouse/domain';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { Buffer } from 'node:buffer';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import { TENANT } from './harness.js';

export const functionArn = (functionName: string): string => `arn:aws:lambda:us-east-1:${TENANT}:function:${functionName}`;

/** Whom API Gateway may invoke. */
export async function publishFunction(
  store: InMemoryStore,
  functionName: string,
  code: string,
  over: Partial<FunctionEntry> = {},
): Promise<void> {
  const zip = new yazl.ZipFile();
  zip.addBuffer(Buffer.from(code), 'index.js', { mtime: new Date(2026, 0, 1) });
  zip.end();
  const bytes = await buffer(zip.outputStream);
  const permission = { statementId: 's', principal: 'apigateway.amazonaws.com', action: 'lambda:InvokeFunction' };
  const entry: FunctionEntry = {
    tenant: TENANT,
    region: 'us-east-1',
    functionName,
    version: '$LATEST',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    timeoutMs: 10_000,
    memoryMb: 256,
    environment: {},
    aliases: [],
    weightedAliases: {},
    reservedConcurrency: null,
    codeSha256: Buffer.from(sha256Hex(bytes), 'hex').toString('base64'),
    permissions: [{ ...permission, sourceArn: null, sourceAccount: null, qualifier: '' }],
    ...over,
  };
  await store.tenants.transact(TENANT, async (tx) =>
    tx.manifest.put('FUNCTION', `${TENANT}:${functionName}:$LATEST`, {
      digest: await tx.blobs.put(bytes),
      blobBytes: bytes.length,
      inline: canonicalJson(entry),
    }),
  );
}
