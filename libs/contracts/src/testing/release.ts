/** A release as it was frozen (`freeze-release.mjs`): its schema and its bytes, to test the present one against. */
import { createFileRegistry, fromBinary, type DescMessage, type DescService, type JsonValue } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { NodeLink } from '../gen/gatehouse/node/v1/node_link_pb.js';

export interface FrozenMessage {
  /** Of its type, with the package. */
  readonly schema: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly meaning: JsonValue;
}

export interface Release {
  readonly name: string;
  /** What the release knows of the node protocol, for `grpcService`. */
  readonly service: DescService;
  readonly schemas: readonly DescMessage[];
  readonly messages: readonly FrozenMessage[];
}

/** Of the project, from `src` and from `dist`. */
const FOLDER = path.join(import.meta.dirname, '../../testdata');

export const releaseNames = (): string[] => readdirSync(FOLDER).sort();

export function readRelease(name: string): Release {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(path.join(FOLDER, name, 'node_link.binpb')));
  const registry = createFileRegistry(set);
  const stored = JSON.parse(readFileSync(path.join(FOLDER, name, 'messages.json'), 'utf8')) as (Omit<FrozenMessage, 'bytes'> & {
    readonly bytes: string;
  })[];
  return {
    name,
    service: registry.getService(NodeLink.typeName)!,
    schemas: [...registry].filter((desc) => desc.kind === 'message'),
    messages: stored.map((message) => ({ ...message, bytes: Buffer.from(message.bytes, 'hex') })),
  };
}
