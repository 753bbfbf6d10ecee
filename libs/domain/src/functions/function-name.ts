import { ApiError, validationError } from '../errors.js';
import type { TenantId } from '../tenancy/tenant.js';

/** What `FunctionName` of a request may hold: a name, a partial ARN or a whole ARN, each with a qualifier or without. */
export interface FunctionReference {
  /** `null` unless the whole ARN was given. */
  readonly region: string | null;
  /** `null` for a bare name: the caller's own. */
  readonly account: string | null;
  readonly name: string;
  /** Version or alias. */
  readonly qualifier: string | null;
}

/** Lambda's own pattern, as its validation errors print it. */
const PRINTED_PATTERN =
  '(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:((?!\\d+$)[a-zA-Z0-9-_]+|\\$LATEST))?';
const REFERENCE =
  /^(?:(?:arn:aws[a-z-]*:lambda:(?<region>[a-z0-9-]+):)?(?<account>\d{12}):function:|function:)?(?<name>[A-Za-z0-9_-]{1,64})(?::(?<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?$/;

/** Joins the qualifier of the name with the one given beside it. */
export function readFunctionReference(text: string, qualifier?: string): FunctionReference {
  const groups = REFERENCE.exec(text)?.groups;
  if (groups === undefined) {
    throw validationError(
      `1 validation error detected: Value '${text}' at 'functionName' failed to satisfy constraint: ` +
        `Member must satisfy regular expression pattern: ${PRINTED_PATTERN}`,
    );
  }
  const inName = groups['qualifier'] ?? null;
  if (inName !== null && qualifier !== undefined && inName !== qualifier) {
    throw new ApiError(
      'InvalidParameterValueException',
      400,
      'The derived qualifier from the function name does not match the specified qualifier.',
    );
  }
  return {
    region: groups['region'] ?? null,
    account: groups['account'] ?? null,
    name: groups['name'] as string,
    qualifier: qualifier ?? inName,
  };
}

export function functionArn(region: string, account: TenantId | string, name: string, qualifier: string | null): string {
  return `arn:aws:lambda:${region}:${account}:function:${name}${qualifier === null ? '' : `:${qualifier}`}`;
}

export const isVersionNumber = (qualifier: string): boolean => /^[0-9]+$/.test(qualifier);
