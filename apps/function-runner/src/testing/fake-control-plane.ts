/** For specs: a control plane that publishes functions to one runner over the real stream. */
import { create } from '@bufbuild/protobuf';
import {
  ControlMessageSchema,
  EntryKind,
  grpcService,
  NodeLink,
  type ControlMessage,
  type FunctionEntry,
  type NodeMessage,
} from '@gatehouse/contracts';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';

export class FakeControlPlane {
  private readonly server = new Server({ 'grpc.max_receive_message_length': -1 });
  private readonly blobs = new Map<string, Buffer>();
  private readonly entries: { id: string; tenant: string; content: { digest: string; blobBytes: bigint; inline: Uint8Array } }[] =
    [];
  readonly tokens: string[] = [];
  address = '';

  /** `address`: where another one was; any free port without it. */
  async listen(address = '127.0.0.1:0'): Promise<void> {
    this.server.addService(grpcService(NodeLink), {
      session: (stream: ServerDuplexStream<NodeMessage, ControlMessage>) => this.serve(stream),
      report: () => {},
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.address = `127.0.0.1:${port}`;
  }

  publish(entry: FunctionEntry, zip: Buffer): void {
    const digest = sha256Hex(zip);
    this.blobs.set(digest, zip);
    const inline = new TextEncoder().encode(canonicalJson(entry));
    const id = `${entry.tenant}:${entry.functionName}:${entry.version}`;
    this.entries.push({ id, tenant: entry.tenant, content: { digest, blobBytes: BigInt(zip.length), inline } });
  }

  close(): void {
    this.server.forceShutdown();
  }

  private serve(stream: ServerDuplexStream<NodeMessage, ControlMessage>): void {
    this.tokens.push(String(stream.metadata.get('authorization')[0]));
    stream.on('error', () => {}); // the runner is killed in these specs
    stream.on('data', ({ kind }: NodeMessage) => {
      if (kind.case === 'hello') this.sendManifest(stream);
      if (kind.case !== 'blobRequest') return;
      for (const digest of kind.value.digests) {
        stream.write(create(ControlMessageSchema, { kind: { case: 'blob', value: { digest, bytes: this.blobs.get(digest)! } } }));
      }
    });
  }

  private sendManifest(stream: ServerDuplexStream<NodeMessage, ControlMessage>): void {
    const revision = BigInt(this.entries.length);
    const entries = this.entries.map(({ id, tenant, content }) => ({
      kind: EntryKind.FUNCTION,
      id,
      tenant,
      revision,
      state: { case: 'content' as const, value: content },
    }));
    stream.write(create(ControlMessageSchema, { kind: { case: 'manifest', value: { full: true, revision, entries } } }));
  }
}
