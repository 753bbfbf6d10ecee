/**
 * Between nodes and a control plane: whoever looks through it sees the other as of an earlier release. Each message is read and written
 * again with that release's schema, so that nothing gets through that it does not know.
 */
import { fromBinary, toBinary, type DescMessage } from '@bufbuild/protobuf';
import { grpcService } from '@gatehouse/contracts';
import type { Release } from '@gatehouse/contracts/testing';
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  type StatusObject,
} from '@grpc/grpc-js';

type Bytes = (bytes: Buffer) => Buffer;
const asItIs: Bytes = (bytes) => bytes;

export class ReleaseFilter {
  /** Otherwise everything goes through as it is. For streams that begin from now on. */
  isOn = true;
  private readonly server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  private readonly client: Client;
  private boundPort = 0;

  private constructor(
    private readonly release: Release,
    farPort: number,
  ) {
    this.client = new Client(`127.0.0.1:${farPort}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500,
    });
    const service: Record<string, ServiceDefinition[string]> = {};
    const handlers: Record<string, (call: ServerDuplexStream<Buffer, Buffer>) => void> = {};
    for (const [name, method] of Object.entries(grpcService(release.service))) {
      const raw = {
        requestSerialize: asItIs,
        requestDeserialize: asItIs,
        responseSerialize: asItIs,
        responseDeserialize: asItIs,
      };
      service[name] = { ...method, ...raw };
      const { input, output } = release.service.methods.find(({ localName }) => localName === name)!;
      handlers[name] = (call) => this.pass(call, method.path, input, output);
    }
    this.server.addService(service, handlers);
  }

  static async open(release: Release, farPort: number): Promise<ReleaseFilter> {
    const filter = new ReleaseFilter(release, farPort);
    filter.boundPort = await new Promise<number>((resolve, reject) => {
      filter.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return filter;
  }

  get port(): number {
    return this.boundPort;
  }

  close(): void {
    this.server.forceShutdown();
    this.client.close();
  }

  private pass(near: ServerDuplexStream<Buffer, Buffer>, path: string, input: DescMessage, output: DescMessage): void {
    const [up, down] = this.isOn ? [knownOf(input), knownOf(output)] : [asItIs, asItIs];
    const far = this.client.makeBidiStreamRequest<Buffer, Buffer>(path, asItIs, asItIs, near.metadata);
    near.on('data', (bytes: Buffer) => {
      if (!far.write(up(bytes))) near.pause();
    });
    far.on('drain', () => near.resume());
    far.on('data', (bytes: Buffer) => {
      if (!near.write(down(bytes))) far.pause();
    });
    near.on('drain', () => far.resume());
    near.on('end', () => far.end());
    near.on('cancelled', () => far.cancel());
    near.on('error', () => far.cancel());
    far.on('error', ({ code, details }: StatusObject & Error) => near.emit('error', { code, details }));
    far.on('end', () => near.end());
  }
}

const knownOf =
  (schema: DescMessage): Bytes =>
  (bytes) =>
    Buffer.from(toBinary(schema, fromBinary(schema, bytes, { readUnknownFields: false })));
