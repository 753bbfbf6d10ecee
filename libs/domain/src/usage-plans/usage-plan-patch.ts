/**
 * UpdateUsagePlan. Keys inside `/apiStages/{apiId:stage}/throttle/...` may hold raw slashes (Terraform) or `~1` (CLI), so these
 * paths are read here and not by the table of patch rules.
 */
import { badRequest } from '../errors.js';
import { boundedOperations, type PatchOperation } from '../patch/patch.js';
import type { PlannedStage, ThrottleLimits, UsagePlan } from './usage-plan.js';
import {
  isSameStage,
  methodThrottleKey,
  readMethodThrottles,
  readPlannedStage,
  readQuota,
  readThrottle,
  unknownPlannedStage,
  type QuotaRequest,
} from './usage-plan-rules.js';

const METHOD_THROTTLE = '/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>';
const LIMIT_PATHS = ['/quota/limit', '/quota/offset', '/quota/period', '/throttle/rateLimit', '/throttle/burstLimit'];

/** For the error text. `remove` is quoted from a public report ("apidId" included); the others follow its style. */
const PATHS: Readonly<Record<string, readonly string[]>> = {
  add: [
    '/apiStages',
    ...LIMIT_PATHS,
    '/productCode',
    `${METHOD_THROTTLE}/rateLimit`,
    `${METHOD_THROTTLE}/burstLimit`,
    '/apiStages/<apidId:stageName>/throttle',
  ],
  remove: ['/apiStages', '/quota', '/throttle', '/productCode', METHOD_THROTTLE, '/apiStages/<apidId:stageName>/throttle'],
  replace: [
    '/name',
    '/description',
    ...LIMIT_PATHS,
    '/productCode',
    `${METHOD_THROTTLE}/rateLimit`,
    `${METHOD_THROTTLE}/burstLimit`,
    '/apiStages/<apidId:stageName>/throttle',
  ],
};

/** Quota and throttle while operations set them piece by piece. */
interface Draft extends Omit<UsagePlan, 'quota'> {
  readonly quota: QuotaRequest | null;
}

/**
 * The plan after all operations; throws for the first that is wrong. Whether added stages exist, and whether the plan's keys
 * may have them, are the caller's questions.
 */
export function patchUsagePlan(plan: UsagePlan, operations: readonly PatchOperation[]): UsagePlan {
  const draft = boundedOperations(operations).reduce<Draft>(apply, plan);
  return {
    ...draft,
    quota: draft.quota === null ? null : readQuota(draft.quota),
    throttle: draft.throttle === null ? null : readThrottle(draft.throttle),
  };
}

function apply(plan: Draft, operation: PatchOperation): Draft {
  const { op } = operation;
  const path = operation.path ?? 'null';
  const value = operation.value ?? '';
  const isWrite = op === 'add' || op === 'replace';
  switch (path) {
    case '/name':
      if (op !== 'replace') break;
      if (value === '') throw badRequest('Usage Plan name cannot be empty');
      return { ...plan, name: value };
    case '/description':
      if (op === 'replace') return { ...plan, description: value };
      break;
    case '/productCode':
      if (isWrite) return { ...plan, productCode: value };
      if (op === 'remove') return { ...plan, productCode: null };
      break;
    case '/quota':
      if (op === 'remove') return { ...plan, quota: null };
      break;
    case '/quota/limit':
      if (isWrite) return { ...plan, quota: { ...plan.quota, limit: number(value, path) } };
      break;
    case '/quota/offset':
      if (isWrite) return { ...plan, quota: { ...plan.quota, offset: number(value, path) } };
      break;
    case '/quota/period':
      if (isWrite) return { ...plan, quota: { ...plan.quota, period: value } };
      break;
    case '/throttle':
      if (op === 'remove') return { ...plan, throttle: null };
      break;
    case '/throttle/rateLimit':
      if (isWrite) return { ...plan, throttle: { ...(plan.throttle ?? NO_LIMITS), rateLimit: number(value, path) } };
      break;
    case '/throttle/burstLimit':
      if (isWrite) return { ...plan, throttle: { ...(plan.throttle ?? NO_LIMITS), burstLimit: number(value, path) } };
      break;
    case '/apiStages':
      if (op === 'add') return addStage(plan, value);
      if (op === 'remove') return removeStage(plan, value);
      break;
    default: {
      const changed = patchStageThrottle(plan, op, path, value);
      if (changed !== null) return changed;
    }
  }
  throw invalidPath(op, path);
}

const NO_LIMITS: ThrottleLimits = { rateLimit: null, burstLimit: null };

/** Adding a stage again changes nothing. */
function addStage(plan: Draft, value: string): Draft {
  const stage = readPlannedStage(value);
  if (plan.apiStages.some((planned) => isSameStage(planned, stage))) return plan;
  return { ...plan, apiStages: [...plan.apiStages, { ...stage, throttle: null }] };
}

function removeStage(plan: Draft, value: string): Draft {
  const stage = readPlannedStage(value);
  if (!plan.apiStages.some((planned) => isSameStage(planned, stage))) throw unknownPlannedStage(plan.id, stage);
  return { ...plan, apiStages: plan.apiStages.filter((planned) => !isSameStage(planned, stage)) };
}

/** `/apiStages/{apiId:stage}/throttle[/{resource path}/{verb}[/rateLimit|/burstLimit]]`; `null` when the path is none of these. */
function patchStageThrottle(plan: Draft, op: string | undefined, path: string, value: string): Draft | null {
  const match = /^\/apiStages\/([^/]+)\/throttle(?:\/(.*))?$/s.exec(path);
  if (match === null) return null;
  const change = readThrottleChange(op, match[2], value, path);
  if (change === null) return null;
  const stage = readPlannedStage(match[1]!);
  const planned = plan.apiStages.find((candidate) => isSameStage(candidate, stage));
  if (planned === undefined) throw unknownPlannedStage(plan.id, stage);
  const changed: PlannedStage = { ...planned, throttle: change(planned.throttle) };
  return { ...plan, apiStages: plan.apiStages.map((candidate) => (candidate === planned ? changed : candidate)) };
}

type Throttles = PlannedStage['throttle'];

function readThrottleChange(
  op: string | undefined,
  methodPath: string | undefined,
  value: string,
  path: string,
): ((throttles: Throttles) => Throttles) | null {
  const isWrite = op === 'add' || op === 'replace';
  if (methodPath === undefined) {
    if (op === 'remove') return () => null;
    if (!isWrite) return null;
    const given = readThrottleMap(value, path);
    return () => given;
  }
  if (op === 'remove') {
    const key = methodThrottleKey(methodPath);
    if (key === null) return null;
    return (throttles) => Object.fromEntries(Object.entries(throttles ?? {}).filter(([name]) => name !== key));
  }
  const member = /^(.*)\/(rateLimit|burstLimit)$/s.exec(methodPath);
  const key = member === null ? null : methodThrottleKey(member[1]!);
  if (!isWrite || member === null || key === null) return null;
  const limit = number(value, path);
  return (throttles) => {
    const limits = readThrottle({ ...throttles?.[key], [member[2]!]: limit }) ?? NO_LIMITS;
    return { ...throttles, [key]: limits };
  };
}

/** `{"/pets/GET": {"rateLimit": 1.5, "burstLimit": 2}}`. */
function readThrottleMap(text: string, path: string): Readonly<Record<string, ThrottleLimits>> {
  const wrong = (): Error =>
    badRequest(
      `Invalid value for ${path}: expected a JSON object of {resourcePath}/{httpMethod} to {"rateLimit": number, "burstLimit": integer}`,
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong();
  }
  if (!isThrottleMap(parsed)) throw wrong();
  return readMethodThrottles(parsed);
}

function isThrottleMap(value: unknown): value is Record<string, { rateLimit?: number; burstLimit?: number }> {
  const isObject = (candidate: unknown): candidate is Record<string, unknown> =>
    typeof candidate === 'object' && candidate !== null && !Array.isArray(candidate);
  const isLimit = (candidate: unknown): boolean => candidate === undefined || candidate === null || typeof candidate === 'number';
  return (
    isObject(value) &&
    Object.values(value).every((limits) => isObject(limits) && isLimit(limits['rateLimit']) && isLimit(limits['burstLimit']))
  );
}

function number(text: string, path: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) throw badRequest(`Invalid value for ${path}: expected a number, got "${text}"`);
  return value;
}

/** The newer of AWS's texts; two spaces after "path" are AWS's. */
function invalidPath(op: string | undefined, path: string): Error {
  const paths = op !== undefined && Object.hasOwn(PATHS, op) ? PATHS[op] : undefined;
  const hint = paths === undefined ? 'Please choose supported operations' : `Must be one of: [${paths.join(', ')}]`;
  return badRequest(`Invalid patch path  '${path}' specified for op '${op}'. ${hint}`);
}
