/** Messages with something in all of their fields, made from a schema alone: what one release is tested against another with. */
import { create, type DescEnum, type DescField, type DescFile, type DescMessage, type Message } from '@bufbuild/protobuf';
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect';
import { ScalarType } from '@bufbuild/protobuf';

export interface Sample {
  readonly schema: DescMessage;
  /** Of the schema, and of the member of its oneof: `NodeMessage.hello`. */
  readonly name: string;
  readonly message: Message;
}

/** One of each message; of one with a oneof, one for each member. */
export function samples(file: DescFile): Sample[] {
  return file.messages.flatMap((schema) => {
    const members = schema.oneofs.flatMap((oneof) => oneof.fields);
    if (members.length === 0) return [{ schema, name: schema.name, message: sampleOf(schema, null) }];
    return members.map((member) => ({
      schema,
      name: `${schema.name}.${member.localName}`,
      message: sampleOf(schema, member),
    }));
  });
}

/** With this member of its oneof; without a word, the first. */
function sampleOf(schema: DescMessage, member: DescField | null): Message {
  const message = reflect(schema, create(schema));
  for (const field of schema.fields) {
    if (field.oneof === undefined || field === (member ?? field.oneof.fields[0])) fill(message, field);
  }
  return message.message;
}

function fill(message: ReflectMessage, field: DescField): void {
  if (field.fieldKind === 'list') {
    const list = message.get(field);
    for (const value of [valueOf(field), valueOf(field)]) list.add(value as never);
  } else if (field.fieldKind === 'map') message.get(field).set('key', valueOf(field) as never);
  else message.set(field, valueOf(field) as never);
}

function valueOf(field: DescField): unknown {
  if (field.message !== undefined) return reflect(field.message, sampleOf(field.message, null));
  if (field.enum !== undefined) return lastOf(field.enum);
  switch (field.scalar) {
    case ScalarType.STRING:
      return `${field.name} ä`;
    case ScalarType.BYTES:
      return Uint8Array.of(0, field.number, 255);
    case ScalarType.BOOL:
      return true;
    case ScalarType.DOUBLE:
      return field.number + 0.5;
    case ScalarType.UINT32:
      return 0x8000_0000 + field.number;
    case ScalarType.UINT64:
      return 2n ** 40n + BigInt(field.number);
    default:
      throw new Error(`no sample for ${String(field)}`);
  }
}

const lastOf = ({ values }: DescEnum): number => values.at(-1)!.number;
