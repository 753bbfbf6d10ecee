import { ApiError, type FunctionVersion } from '@gatehouse/domain';
import { sha256Hex } from '@gatehouse/kernel';
import { fromBufferPromise } from 'yauzl';

/** Lambda guide, "Lambda quotas". */
const UNZIPPED_BYTES_MAX = 262_144_000;
const ZIPPED_BYTES_MAX = 50 * 1024 * 1024;
/** The runner's own limits (function-runner/packages.ts): what passes here can be run there. */
const ENTRIES_MAX = 100_000;
const RATIO_MAX = 200;
const RATIO_FREE_BYTES = 10 * 1024 * 1024;

/** APPNOTE.TXT §4.4.4 and §4.4.5. */
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;
const COULD_NOT_UNZIP = 'Could not unzip uploaded file. Please check your file, then try to upload again.';

const invalid = (message: string): ApiError => new ApiError('InvalidParameterValueException', 400, message);

export interface CodeRequest {
  readonly ZipFile?: Uint8Array | undefined;
  readonly S3Bucket?: string | undefined;
  readonly S3Key?: string | undefined;
  readonly S3ObjectVersion?: string | undefined;
  readonly ImageUri?: string | undefined;
}

export type Code = Pick<FunctionVersion, 'codeDigest' | 'codeBytes'> & { readonly bytes: Uint8Array };

/** The uploaded package, looked through but not unzipped: the runner does that, under the same limits. */
export async function readCode({ ZipFile, S3Bucket, S3Key, S3ObjectVersion, ImageUri }: CodeRequest): Promise<Code> {
  if (ImageUri !== undefined) throw invalid('Container images are not supported by this gateway. Upload the code as ZipFile.');
  if (S3Bucket !== undefined || S3Key !== undefined || S3ObjectVersion !== undefined) {
    throw invalid('Code in Amazon S3 is not supported by this gateway. Upload the code as ZipFile.');
  }
  if (ZipFile === undefined) throw invalid('Please provide a source for function code.');
  if (ZipFile.byteLength > ZIPPED_BYTES_MAX) {
    throw new ApiError('RequestEntityTooLargeException', 413, `Zipped size must be smaller than ${ZIPPED_BYTES_MAX} bytes`);
  }
  await checkZip(ZipFile);
  return { codeDigest: sha256Hex(ZipFile), codeBytes: ZipFile.byteLength, bytes: ZipFile };
}

/**
 * Refuses what no runner would unzip. Names and sizes come from the central directory; that a file is as long as its entry
 * says is checked where it is inflated.
 */
async function checkZip(bytes: Uint8Array): Promise<void> {
  const names = new Set<string>();
  let unzippedBytes = 0;
  try {
    // yauzl refuses absolute names, `..` and backslashes.
    const zip = await fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { strictFileNames: true });
    if (zip.entryCount > ENTRIES_MAX) throw invalid(`The package has more than ${ENTRIES_MAX} files.`);
    for await (const { fileName, uncompressedSize, compressionMethod, generalPurposeBitFlag } of zip.eachEntry()) {
      const isReadable =
        (compressionMethod === STORED || compressionMethod === DEFLATED) && (generalPurposeBitFlag & ENCRYPTED) === 0;
      if (!isReadable || names.has(fileName)) throw invalid(COULD_NOT_UNZIP);
      names.add(fileName);
      unzippedBytes += uncompressedSize;
    }
  } catch (cause) {
    throw cause instanceof ApiError ? cause : invalid(COULD_NOT_UNZIP);
  }
  if (names.size === 0) throw invalid('Uploaded file must be a non-empty zip');
  if (unzippedBytes > UNZIPPED_BYTES_MAX) throw invalid(`Unzipped size must be smaller than ${UNZIPPED_BYTES_MAX} bytes`);
  if (unzippedBytes > RATIO_FREE_BYTES && unzippedBytes > bytes.byteLength * RATIO_MAX) {
    throw invalid(`The package unzips to more than ${RATIO_MAX} times its size.`);
  }
}
