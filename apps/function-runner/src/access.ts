/**
 * May this caller invoke the function? The owner's own calls always may; anybody else needs a statement of the resource
 * policy that allows it. Statements belong to a qualifier: those of the unqualified function say nothing about its aliases.
 * Source: Lambda guide, "Using resource-based policies for Lambda".
 */
import type { FunctionEntry, FunctionPermission } from '@gatehouse/contracts';

export interface Source {
  /** A service such as `apigateway.amazonaws.com`, an account id, or a principal's ARN. */
  readonly principal: string;
  readonly arn: string | null;
  readonly account: string | null;
}

/** `source` null: a call by the owner. `qualifier` null: none was given. */
export function mayInvoke(entry: FunctionEntry, qualifier: string | null, source: Source | null): boolean {
  if (source === null || source.principal === entry.tenant) return true;
  // $LATEST has no policy of its own.
  const asked = qualifier === null || qualifier === '$LATEST' ? '' : qualifier;
  return entry.permissions.some((statement) => statement.qualifier === asked && allows(statement, source));
}

function allows(statement: FunctionPermission, source: Source): boolean {
  if (!['lambda:InvokeFunction', 'lambda:*', '*'].includes(statement.action)) return false;
  if (!coversPrincipal(statement.principal, source.principal)) return false;
  if (statement.sourceArn !== null && (source.arn === null || !matchesPattern(statement.sourceArn, source.arn))) return false;
  return statement.sourceAccount === null || statement.sourceAccount === source.account;
}

function coversPrincipal(granted: string, caller: string): boolean {
  if (granted === '*' || granted === caller) return true;
  const root = /^arn:aws[a-z-]*:iam::(\d{12}):root$/;
  const account = root.exec(granted)?.[1] ?? granted;
  return account === (/^arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):/.exec(caller)?.[1] ?? caller);
}

/** ARN condition: `*` stands for any characters, `?` for one. Linear in text times stars at worst, never exponential. */
export function matchesPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1; // the last star takes one character more
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern[p] === '*') p++;
  return p === pattern.length;
}
