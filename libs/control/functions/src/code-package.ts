import { ApiError, type FunctionVersion } from '@gatehouse/domain';
import { sha256Hex } from '@gatehouse/kernel';
import { fromBufferPromise } from 'yauzl';

/** Lambda guide, "Lambda quotas". */
const UNZIPPED_BYTES_MAX = 262_144_000;
const ZIPPED_BYTES_MAX = 50 * 1024 * 1024;

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

/** Base64 SHA-256, as Lambda shows it. */
export const codeSha256 = (codeDigest: string): string => Buffer.from(codeDigest, 'hex').toString('base64');

async function checkZip(bytes: Uint8Array): Promise<void> {
  let unzippedBytes = 0;
  let entryCount = 0;
  try {
    // yauzl refuses absolute names, `..` and backslashes.
    const zip = await fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { strictFileNames: true });
    for await (const entry of zip.eachEntry()) {
      unzippedBytes += entry.uncompressedSize;
      entryCount++;
    }
  } catch {
    throw invalid('Could not unzip uploaded file. Please check your file, then try to upload again.');
  }
  if (entryCount === 0) throw invalid('Uploaded file must be a non-empty zip');
  if (unzippedBytes > UNZIPPED_BYTES_MAX) throw invalid(`Unzipped size must be smaller than ${UNZIPPED_BYTES_MAX} bytes`);
}
