/** What `{FunctionName}` of a Lambda path may hold: a name, a partial ARN or a whole ARN, each with a qualifier or without. */
export interface FunctionReference {
  /** `null` for a bare name: the caller's own. */
  readonly account: string | null;
  readonly functionName: string;
  /** Version or alias; `null` for none. */
  readonly qualifier: string | null;
}

const REFERENCE =
  /^(?:(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?(?<account>\d{12}):function:|function:)?(?<name>[A-Za-z0-9_-]{1,64})(?::(?<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?$/;

/** `null` when the text is none of the forms. */
export function parseFunctionReference(text: string): FunctionReference | null {
  const groups = REFERENCE.exec(text)?.groups;
  if (groups === undefined) return null;
  return { account: groups['account'] ?? null, functionName: groups['name'] as string, qualifier: groups['qualifier'] ?? null };
}

export function functionArn(region: string, account: string, functionName: string, qualifier: string | null): string {
  return `arn:aws:lambda:${region}:${account}:function:${functionName}${qualifier === null ? '' : `:${qualifier}`}`;
}
