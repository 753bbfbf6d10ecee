import type { StageSnapshot } from '@gatehouse/contracts';
import type { Exchange, Step } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';

/** `arn:aws:execute-api:{region}:{account}:{api}`: what stands before stage, verb and path. */
export const apiArnOf = ({ region, tenant, apiId }: StageSnapshot): string => `arn:aws:execute-api:${region}:${tenant}:${apiId}`;

/** What a policy has to allow: the path as the caller wrote it, but for slashes around it that the router ignores as well. */
export function methodArnOf(stage: StageSnapshot): (x: Exchange) => string {
  const stageArn = `${apiArnOf(stage)}/${stage.stage}`;
  return (x) => `${stageArn}/${x.httpMethod}/${withoutSlashes(x.resourcePath)}`;
}

/** Bytes; a path has one for each character. */
const METHOD_ARN_MAX = 1_600;
/** Region, account, API, stage (128 at most) and verb take less than the rest. */
const PATH_SURELY_SHORT = 1_000;

/** Ahead of whoever authorizes: no policy names an ARN that is longer (data-plane reference §1.4). */
export function limitMethodArn(stage: StageSnapshot, authorize: Step): Step {
  const methodArn = methodArnOf(stage);
  // What stands before a path is never this long, so of most paths no ARN is made.
  const isTooLong = (x: Exchange): boolean => x.resourcePath.length > PATH_SURELY_SHORT && methodArn(x).length > METHOD_ARN_MAX;
  return (x) => (isTooLong(x) ? x.fail(FAULTS.METHOD_ARN_TOO_LONG, null, 'making the ARN of the method') : authorize(x));
}

/** No regular expression: a path of slashes alone would take it long. */
function withoutSlashes(path: string): string {
  let [start, end] = [0, path.length];
  while (path[start] === '/') start++;
  while (end > start && path[end - 1] === '/') end--;
  return path.slice(start, end);
}

const ACCOUNT_DIGITS_SHOWN = 4;

/** As callers are told of it: of the owner's account they see the last digits (data-plane reference §1.1, row 8). */
export function maskedArn(arn: string, account: string): string {
  const shown = account.slice(-ACCOUNT_DIGITS_SHOWN);
  return arn.replace(`:${account}:`, () => `:${'*'.repeat(account.length - shown.length)}${shown}:`);
}
