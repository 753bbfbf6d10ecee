#!/usr/bin/env node
/**
 * `node libs/contracts/freeze-release.mjs <release>`, once per release and after a build: keeps what the release says on the wire in
 * testdata/<release>/, so that later ones are tested against it. Never run again for the same release.
 *
 *   node_link.binpb    its schema, a FileDescriptorSet
 *   messages.json      one message of every kind with all of its fields: bytes (hex) and meaning
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { create, toBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { samples } from './dist/testing/samples.js';
import { file_gatehouse_node_v1_node_link as file } from './dist/gen/gatehouse/node/v1/node_link_pb.js';

const [release] = process.argv.slice(2);
const folder = path.join(import.meta.dirname, 'testdata', release ?? '');
if (release === undefined || existsSync(folder)) {
  console.error(release === undefined ? 'usage: freeze-release.mjs <release>' : `${folder} is there already`);
  process.exit(2);
}
const messages = samples(file).map(({ schema, name, message }) => ({
  schema: schema.typeName,
  name,
  bytes: Buffer.from(toBinary(schema, message)).toString('hex'),
  meaning: toJson(schema, message),
}));
mkdirSync(folder, { recursive: true });
const set = create(FileDescriptorSetSchema, { file: [file.proto] });
writeFileSync(path.join(folder, 'node_link.binpb'), toBinary(FileDescriptorSetSchema, set));
writeFileSync(path.join(folder, 'messages.json'), `${JSON.stringify(messages, null, 2)}\n`);
console.log(`${folder}: ${messages.length} messages`);
