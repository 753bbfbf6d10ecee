// Releases run side by side while a fleet is upgraded. What an earlier one says keeps its meaning, and what this one says harms none.
import { fromBinary, fromJson, toBinary, toJson, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { agreedProtocol, LINKED_SNAPSHOT_FORMATS, PROTOCOL, SNAPSHOT_FORMAT } from './index.js';
import { file_gatehouse_node_v1_node_link as file } from './gen/gatehouse/node/v1/node_link_pb.js';
import { readRelease, releaseNames, samples } from './testing/index.js';

const schemaOf = (name: string): DescMessage => file.messages.find(({ typeName }) => typeName === name)!;

/** All that the wire and a reader of it depend on. */
const shapeOf = (field: DescField): unknown => [
  field.name,
  field.fieldKind,
  field.scalar,
  field.message?.typeName,
  field.enum?.values.map(({ name, number }) => [name, number]),
  field.oneof?.name,
  field.fieldKind === 'map' ? field.mapKey : null,
];

describe.each(releaseNames())('release %s', (name) => {
  const release = readRelease(name);

  test.each(release.messages)('$name means what it meant', ({ schema, bytes, meaning }) => {
    expect(toJson(schemaOf(schema), fromBinary(schemaOf(schema), bytes))).toEqual(meaning);
  });

  test.each(release.messages)('$name is written as it was', ({ schema, bytes, meaning }) => {
    expect(Buffer.from(toBinary(schemaOf(schema), fromJson(schemaOf(schema), meaning)))).toEqual(Buffer.from(bytes));
  });

  test('no field of it is gone, has another number, or holds something else', () => {
    for (const earlier of release.schemas) {
      const now = new Map(schemaOf(earlier.typeName).fields.map((field) => [field.number, field]));
      for (const field of earlier.fields) {
        const [, , , , values] = shapeOf(field) as unknown[];
        const present = now.get(field.number);
        const [, , , , newValues] = shapeOf(present!) as unknown[];
        expect(shapeOf({ ...present!, enum: undefined } as DescField), `${earlier.name}.${field.name}`).toEqual(
          shapeOf({ ...field, enum: undefined } as DescField),
        );
        expect(newValues ?? [], `${earlier.name}.${field.name}`).toEqual(expect.arrayContaining((values as unknown[]) ?? []));
      }
    }
  });

  test('it reads all that this release may say, without what it does not know', () => {
    for (const { schema, name: sample, message } of samples(file)) {
      const earlier = release.schemas.find(({ typeName }) => typeName === schema.typeName);
      if (earlier === undefined) continue;
      const known = toJson(earlier, fromBinary(earlier, toBinary(schema, message)), { enumAsInteger: true });
      expect(toJson(schema, message, { enumAsInteger: true }), sample).toMatchObject(known as object);
    }
  });
});

test('this release links the format it writes', () => {
  expect(LINKED_SNAPSHOT_FORMATS).toContain(SNAPSHOT_FORMAT);
});

test.each([
  ['the same', [0, 1], [0, 1], 1],
  ['one newer than the other', [0, 1], [1, 2], 1],
  ['one knows no versions', [0, 3], [0, 0], 0],
  ['one forgot the other', [0, 1], [2, 3], null],
  ['the other forgot the one', [2, 3], [0, 1], null],
] as const)('of two ranges the newest version of both is spoken: %s', (_, a, b, expected) => {
  const [ours, theirs] = [a, b].map(([oldest, newest]) => ({ oldest, newest }));
  expect(agreedProtocol(ours!, theirs!)).toBe(expected);
  expect(agreedProtocol(theirs!, ours!)).toBe(expected);
});

test('this release speaks with the one before', () => {
  expect(agreedProtocol(PROTOCOL, { oldest: 0, newest: PROTOCOL.newest - 1 })).toBe(PROTOCOL.newest - 1);
});
