import {
  grpcService,
  NodeLink,
  type ControlMessage,
  type NodeMessage,
  type ReportBatch,
  type ReportReceipt,
} from '@gatehouse/contracts';
import type { Secret } from '@gatehouse/kernel';
import { Client, credentials, Metadata } from '@grpc/grpc-js';

/** What a stream needs of a bidirectional call; grpc-js has it. */
export interface StreamCall<Sent, Received> {
  on(event: 'data', listener: (message: Received) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  write(message: Sent): unknown;
  cancel(): void;
}

/** The way to one control plane. Calls connect by themselves. */
export interface ControlTransport {
  session(): StreamCall<NodeMessage, ControlMessage>;
  report(): StreamCall<ReportBatch, ReportReceipt>;
  /** Whether it answers within the time; costs a connection, not a call. */
  isReachable(timeoutMs: number): Promise<boolean>;
  close(): void;
}

export type OpenTransport = (address: string) => ControlTransport;

const SERVICE = grpcService(NodeLink);

export function grpcTransports(token: Secret): OpenTransport {
  return (address) => {
    const client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2_000,
    });
    const call = <Sent, Received>(method: 'session' | 'report') => {
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${token.reveal()}`);
      const { path, requestSerialize, responseDeserialize } = SERVICE[method]!;
      return client.makeBidiStreamRequest<Sent, Received>(path, requestSerialize, responseDeserialize, metadata);
    };
    return {
      session: () => call('session'),
      report: () => call('report'),
      isReachable: (timeoutMs) =>
        new Promise((resolve) => client.waitForReady(Date.now() + timeoutMs, (error) => resolve(error === undefined))),
      close: () => client.close(),
    };
  };
}
