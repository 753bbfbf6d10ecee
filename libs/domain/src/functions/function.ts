import type { Secret } from '@gatehouse/kernel';
import type { TextMap } from '../rest-apis/rest-api.js';

/** A function and its unpublished code, `$LATEST`. */
export interface FunctionDefinition {
  readonly name: string;
  readonly region: string;
  readonly latest: FunctionVersion;
  /** Number of the newest published version; 0 for none. */
  readonly newestVersion: number;
  readonly createdAtMs: number;
  readonly tags: TextMap;
  readonly reservedConcurrency: number | null;
}

/** Code and configuration, either `$LATEST` or frozen under a number. */
export interface FunctionVersion {
  readonly functionName: string;
  /** `$LATEST` or a number from 1. */
  readonly version: string;
  readonly description: string;
  readonly runtime: string;
  readonly handler: string;
  readonly role: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, Secret>>;
  readonly architectures: readonly string[];
  readonly ephemeralStorageMb: number;
  readonly layers: readonly string[];
  readonly tracingMode: string;
  readonly packageType: string;
  /** Hex SHA-256 of the zip; names the blob in `blobs`. */
  readonly codeDigest: string;
  readonly codeBytes: number;
  readonly lastModifiedAtMs: number;
  /** Changes with every update of code or configuration. */
  readonly revisionId: string;
}

/** Base64 SHA-256, as Lambda shows it. */
export const codeSha256 = ({ codeDigest }: Pick<FunctionVersion, 'codeDigest'>): string =>
  Buffer.from(codeDigest, 'hex').toString('base64');

export interface FunctionAlias {
  readonly functionName: string;
  readonly name: string;
  readonly functionVersion: string;
  readonly description: string;
  /** Version to share of calls, 0..1. */
  readonly routing: Readonly<Record<string, number>>;
  readonly revisionId: string;
}

/** A statement of a function's resource policy. */
export interface FunctionStatement {
  readonly functionName: string;
  /** Version or alias; `''` for the unqualified function. */
  readonly qualifier: string;
  readonly statementId: string;
  readonly action: string;
  readonly principal: string;
  readonly sourceArn: string | null;
  readonly sourceAccount: string | null;
}
