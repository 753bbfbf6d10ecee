import { randomFillSync } from 'node:crypto';

const BLOCK_BYTES = 16_384;

// In a form: what stands for a digit.
const HEX = '\x01';
/** One of 8, 9, a, b. */
const VARIANT = '\x02';
const BASE64 = '\x03';

/** Version 4 (RFC 9562 §5.4). */
const UUID = `${HEX.repeat(8)}-${HEX.repeat(4)}-4${HEX.repeat(3)}-${VARIANT}${HEX.repeat(3)}-${HEX.repeat(12)}`;
const REQUEST_ID_LINE = 'x-amzn-RequestId: ';
const EXTENDED_ID = `${BASE64.repeat(15)}=`;
const EXTENDED_ID_LINE = `\r\nx-amz-apigw-id: `;
const ID_LINES = `${REQUEST_ID_LINE}${UUID}${EXTENDED_ID_LINE}${EXTENDED_ID}\r\n`;
const EXTENDED_ID_AT = REQUEST_ID_LINE.length + UUID.length + EXTENDED_ID_LINE.length;

/**
 * Random text from the kernel's generator. Bytes are fetched and spelled out in blocks, and a request's ids are slices of the text:
 * a call into the generator for each would cost more than all else about a request's identity, and so would putting an id together.
 */
export class Randomness {
  private readonly bytes = Buffer.alloc(BLOCK_BYTES);
  private hexText = '';
  private hexUsed = 0;
  private readonly ids = new SpelledForm(ID_LINES);
  private readonly traces = new SpelledForm(`${HEX.repeat(24)};Parent=${HEX.repeat(16)};Sampled=0`);

  /** Lower-case digits, two per byte. */
  hex(digits: number): string {
    if (this.hexUsed + digits > this.hexText.length) {
      this.hexText = randomFillSync(this.bytes).toString('hex');
      this.hexUsed = 0;
    }
    const start = this.hexUsed;
    this.hexUsed += digits;
    return this.hexText.slice(start, start + digits);
  }

  /** Both ids of a request, as lines of its answer's head. */
  idLines(): string {
    return this.ids.next();
  }

  /** What follows the time of a trace's root where nobody traces. */
  untracedEnd(): string {
    return this.traces.next();
  }
}

export const requestIdOf = (idLines: string): string =>
  idLines.slice(REQUEST_ID_LINE.length, REQUEST_ID_LINE.length + UUID.length);

export const extendedIdOf = (idLines: string): string => idLines.slice(EXTENDED_ID_AT, EXTENDED_ID_AT + EXTENDED_ID.length);

/** A text with random digits in it, many at a time. */
class SpelledForm {
  private static readonly COUNT = 128;
  private readonly spelled: Buffer;
  private readonly hexAt: readonly number[];
  private readonly variantAt: readonly number[];
  private readonly base64At: readonly number[];
  private readonly hexBytes: Buffer;
  private readonly base64Bytes: Buffer;
  private text = '';
  private used = 0;

  constructor(private readonly form: string) {
    const places = (mark: string): number[] => [...form].flatMap((char, i) => (char === mark ? [i] : []));
    this.hexAt = places(HEX);
    this.variantAt = places(VARIANT);
    this.base64At = places(BASE64);
    const hexDigits = SpelledForm.COUNT * (this.hexAt.length + this.variantAt.length);
    this.hexBytes = Buffer.alloc(Math.ceil(hexDigits / 2));
    this.base64Bytes = Buffer.alloc(Math.ceil((SpelledForm.COUNT * this.base64At.length * 3) / 4));
    this.spelled = Buffer.from(form.repeat(SpelledForm.COUNT), 'latin1');
  }

  /** Each is handed out once. */
  next(): string {
    if (this.used === this.text.length) this.spell();
    const start = this.used;
    this.used += this.form.length;
    return this.text.slice(start, this.used);
  }

  private spell(): void {
    const { spelled, hexAt, variantAt, base64At } = this;
    const hex = digits(this.hexBytes, 'hex');
    const base64 = digits(this.base64Bytes, 'base64');
    let hexUsed = 0;
    let base64Used = 0;
    for (let start = 0; start < spelled.length; start += this.form.length) {
      for (const at of hexAt) spelled[start + at] = hex[hexUsed++]!;
      for (const at of variantAt) spelled[start + at] = VARIANTS[hex[hexUsed++]! & 3]!;
      for (const at of base64At) spelled[start + at] = base64[base64Used++]!;
    }
    this.text = spelled.toString('latin1');
    this.used = 0;
  }
}

const VARIANTS = Buffer.from('89ab', 'latin1');

function digits(bytes: Buffer, encoding: 'hex' | 'base64'): Buffer {
  return Buffer.from(randomFillSync(bytes).toString(encoding), 'latin1');
}
