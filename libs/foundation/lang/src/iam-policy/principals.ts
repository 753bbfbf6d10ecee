/**
 * Who a statement is about (IAM guide, "AWS JSON policy elements: Principal").
 *
 *   "*", {"AWS": "*"}                            everybody, anonymous callers too
 *   {"AWS": "123456789012"}, {"AWS": "arn:aws:iam::123456789012:root"}     everybody of the account
 *   {"AWS": "arn:..."}                           who goes by that ARN; no wildcards
 *   {"Service": "..."}, {"Federated": "..."}, {"CanonicalUser": "..."}
 */
import { PolicyError } from './policy-error.js';

export interface Caller {
  /** `null` for an anonymous one. */
  readonly accountId: string | null;
  /** Every ARN the caller goes by: a session's own and its role's. */
  readonly arns: readonly string[];
  /** E.g. `apigateway.amazonaws.com`; `null` for no service. */
  readonly service: string | null;
  /** Identity providers that vouch for it. */
  readonly federated: readonly string[];
}

export const ANONYMOUS: Caller = { accountId: null, arns: [], service: null, federated: [] };

export type CallerTest = (caller: Caller) => boolean;

const ACCOUNT = /^(?:arn:aws[a-z-]*:iam::(\d{12}):root|(\d{12}))$/;
const PRINCIPAL_ARN = /^arn:aws[a-z-]*:(?:iam|sts)::(?:\d{12}|cloudfront|aws):\S+$/;
const everybody: CallerTest = () => true;

/** Throws PolicyError. */
export function compilePrincipals(principal: unknown): CallerTest {
  if (principal === '*') return everybody;
  if (typeof principal !== 'object' || principal === null || Array.isArray(principal))
    throw new PolicyError('Principal is neither "*" nor an object');
  const tests = Object.entries(principal).flatMap(([type, names]) =>
    readNames(type, names).map((name) => compileName(type, name)),
  );
  if (tests.length === 0) throw new PolicyError('Principal names nobody');
  return (caller) => tests.some((matches) => matches(caller));
}

function readNames(type: string, names: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(names) ? names : [names];
  return list.map((name) => {
    if (typeof name === 'string' && name !== '') return name;
    throw new PolicyError(`a principal of ${type} is no text`);
  });
}

function compileName(type: string, name: string): CallerTest {
  switch (type) {
    case 'AWS':
      return compileAwsName(name);
    case 'Service':
      return ({ service }) => service !== null && (name === '*' || service === name);
    case 'Federated':
      return ({ federated }) => federated.includes(name);
    case 'CanonicalUser':
      return () => false; // of S3 alone
    default:
      throw new PolicyError(`unknown type of principal "${type}"`);
  }
}

function compileAwsName(name: string): CallerTest {
  if (name === '*') return everybody;
  const match = ACCOUNT.exec(name);
  if (match !== null) {
    const account = match[1] ?? match[2]!;
    return ({ accountId }) => accountId === account;
  }
  // What AWS puts in place of a deleted user or role: it matches nobody.
  if (/^A[A-Z0-9]{15,127}$/.test(name)) return () => false;
  if (!PRINCIPAL_ARN.test(name) || /[*?]/.test(name)) throw new PolicyError(`invalid principal "${name}"`);
  return ({ arns }) => arns.includes(name);
}
