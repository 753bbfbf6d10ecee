import { ApiError } from '@gatehouse/domain';
import { sha256Hex } from '@gatehouse/kernel';
import fc from 'fast-check';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import yazl from 'yazl';
import { readCode, type CodeRequest } from './code-package.js';

async function zipOf(...files: readonly (readonly [name: string, content: string | Buffer])[]): Promise<Buffer> {
  const file = new yazl.ZipFile();
  for (const [name, content] of files) file.addBuffer(Buffer.from(content), name);
  file.end();
  return buffer(file.outputStream);
}

/** Every occurrence of a name, in the local header and in the central directory; both have the same length. */
function renamed(zip: Buffer, from: string, to: string): Buffer {
  return Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1');
}

/** Changes the first entry of the central directory. APPNOTE.TXT §4.3.12. */
function patched(zip: Buffer, change: (zip: Buffer, header: number) => void): Buffer {
  const copy = Buffer.from(zip);
  change(copy, copy.indexOf('PK\x01\x02', 'latin1'));
  return copy;
}

const refusal = async (request: CodeRequest): Promise<{ type: string; status: number; message: string }> => {
  const error: unknown = await readCode(request).catch((cause: unknown) => cause);
  if (!(error instanceof ApiError)) throw new Error('expected a refusal', { cause: error });
  return { type: error.type, status: error.status, message: error.message };
};
const invalid = (message: string) => ({ type: 'InvalidParameterValueException', status: 400, message });
const COULD_NOT_UNZIP = invalid('Could not unzip uploaded file. Please check your file, then try to upload again.');

const plain = await zipOf(['index.js', 'exports.handler = async () => 1'], ['lib/a.js', '1']);

test('a package is named by the digest of its bytes', async () => {
  expect(await readCode({ ZipFile: plain })).toEqual({ codeDigest: sha256Hex(plain), codeBytes: plain.byteLength, bytes: plain });
});

for (const [what, zip, expected] of [
  ['text', Buffer.from('exports.handler = 1'), COULD_NOT_UNZIP],
  ['nothing', Buffer.alloc(0), COULD_NOT_UNZIP],
  ['half a package', plain.subarray(0, plain.length - 30), COULD_NOT_UNZIP],
  ['a name that climbs out', renamed(plain, 'lib/a.js', '../../aj'), COULD_NOT_UNZIP],
  ['an absolute name', renamed(plain, 'lib/a.js', '/etc/a.j'), COULD_NOT_UNZIP],
  ['a drive letter', renamed(plain, 'lib/a.js', 'C:/aa.js'), COULD_NOT_UNZIP],
  ['a backslash', renamed(plain, 'lib/a.js', '..\\aa.js'), COULD_NOT_UNZIP],
  ['a name twice', await zipOf(['index.js', '1'], ['index.js', '2']), COULD_NOT_UNZIP],
  [
    'an encrypted file',
    patched(plain, (zip, header) => zip.writeUInt16LE(zip.readUInt16LE(header + 8) | 1, header + 8)),
    COULD_NOT_UNZIP,
  ],
  ['a compression that nobody knows', patched(plain, (zip, header) => zip.writeUInt16LE(99, header + 10)), COULD_NOT_UNZIP],
  ['no files', await zipOf(), invalid('Uploaded file must be a non-empty zip')],
  [
    'more than 250 MB unzipped',
    patched(plain, (zip, header) => zip.writeUInt32LE(262_144_001, header + 24)),
    invalid('Unzipped size must be smaller than 262144000 bytes'),
  ],
  [
    'a bomb',
    await zipOf(['zeros', Buffer.alloc(11 * 1024 * 1024)]),
    invalid('The package unzips to more than 200 times its size.'),
  ],
] as const) {
  test(`a package with ${what} is refused`, async () => {
    expect(await refusal({ ZipFile: zip })).toEqual(expected);
  });
}

test('more than 50 MB zipped is too large', async () => {
  expect(await refusal({ ZipFile: Buffer.alloc(50 * 1024 * 1024 + 1) })).toEqual({
    type: 'RequestEntityTooLargeException',
    status: 413,
    message: 'Zipped size must be smaller than 52428800 bytes',
  });
});

for (const [what, request, expected] of [
  [
    'S3',
    { S3Bucket: 'b', S3Key: 'k' },
    invalid('Code in Amazon S3 is not supported by this gateway. Upload the code as ZipFile.'),
  ],
  [
    'a container image',
    { ImageUri: 'repository/image' },
    invalid('Container images are not supported by this gateway. Upload the code as ZipFile.'),
  ],
  ['nowhere', {}, invalid('Please provide a source for function code.')],
] as const) {
  test(`code from ${what} is refused`, async () => expect(await refusal(request)).toEqual(expected));
}

test('a damaged package is accepted or refused, never anything else', async () => {
  const damage = fc.tuple(fc.nat(plain.length - 1), fc.integer({ min: 0, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (changes) => {
      const zip = Buffer.from(plain);
      for (const [index, byte] of changes) zip[index] = byte;
      const error: unknown = await readCode({ ZipFile: zip }).then(
        () => null,
        (cause: unknown) => cause,
      );
      expect(error === null || (error instanceof ApiError && error.type === 'InvalidParameterValueException')).toBe(true);
    }),
    { numRuns: 300 },
  );
});
