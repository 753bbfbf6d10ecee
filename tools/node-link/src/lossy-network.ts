import { grpcService, NodeLink } from '@gatehouse/contracts';
import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';

/** Repeatable numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface LossyNetwork {
  readonly port: number;
  /** Share of messages that are dropped; as many are doubled, and as many overtaken by the next one. */
  lossRate: number;
  /** Breaks every stream that is open. */
  breakAll(): void;
  close(): void;
}

/** A gRPC proxy of the node protocol that loses, doubles and reorders what it forwards: worse than any network. */
export async function startLossyNetwork(upstreamPort: number, random: () => number): Promise<LossyNetwork> {
  const service = grpcService(NodeLink);
  const open = new Set<() => void>();
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  const clients = new Set<Client>();

  const disturbed = (forward: (message: unknown) => void) => {
    let held: unknown;
    return (message: unknown) => {
      const { lossRate } = network;
      const dice = random();
      if (dice < lossRate) return;
      if (dice < 2 * lossRate && held === undefined) {
        held = message;
        return;
      }
      forward(message);
      if (dice < 3 * lossRate) forward(message);
      if (held !== undefined) forward(held);
      held = undefined;
    };
  };
  const handlerOf = (method: 'session' | 'report') => (call: ServerDuplexStream<unknown, unknown>) => {
    const { path, requestSerialize, responseDeserialize } = service[method]!;
    const client = new Client(`127.0.0.1:${upstreamPort}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    clients.add(client);
    const upstream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, call.metadata);
    let isOver = false;
    const end = (error?: unknown) => {
      if (isOver) return;
      isOver = true;
      open.delete(end);
      upstream.cancel();
      client.close();
      clients.delete(client);
      if (error === undefined) call.end();
      else call.emit('error', error);
    };
    open.add(end);
    call.on(
      'data',
      disturbed((message) => !isOver && upstream.write(message)),
    );
    upstream.on(
      'data',
      disturbed((message) => !isOver && call.write(message)),
    );
    upstream.on('error', end);
    upstream.on('end', () => end());
    call.on('cancelled', () => end());
    call.on('error', () => end());
  };
  server.addService(service, { session: handlerOf('session'), report: handlerOf('report') });

  const network: LossyNetwork = {
    port: await new Promise((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    ),
    lossRate: 0,
    breakAll: () => {
      for (const end of [...open]) end();
    },
    close: () => {
      network.breakAll();
      server.forceShutdown();
    },
  };
  return network;
}
