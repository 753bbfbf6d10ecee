/**
 * v1 `patchOperations`, read against a table of rules, one table per kind of resource:
 *
 *   rule path             takes
 *   /name                 exactly this path
 *   /requestModels/{k}    one more segment, decoded (`~1` is `/`, `~0` is `~`), handed over as key
 *
 * Reading comes before applying: a wrong operation, path or value anywhere in the list throws before the first change, so
 * an update is all or nothing. Rules that depend on the entity (is that map entry there?) speak when they are applied;
 * entities are immutable, so that leaves nothing half-written either.
 */
import { badRequest } from '../errors.js';

/** As on the wire; `value` is always text. */
export interface PatchOperation {
  readonly op?: string | undefined;
  readonly path?: string | undefined;
  readonly value?: string | undefined;
  readonly from?: string | undefined;
}

export const PATCH_OPS = ['add', 'remove', 'replace', 'copy'] as const;
export type PatchOp = (typeof PATCH_OPS)[number];

/** What a rule gets to read. */
export interface Operand {
  /** The decoded last segment for rules with `{k}`, else empty. */
  readonly key: string;
  /** Empty when absent: AWS makes no difference between the two. */
  readonly value: string;
  /** Where `copy` copies from; empty when absent. */
  readonly from: string;
}

export type Change<T> = (target: T) => T;
/** Checks the operand, throwing ApiError, and says what to change. */
export type ReadChange<T> = (operand: Operand) => Change<T>;

/** A path and the operations it takes. */
export interface PatchRule<T> extends Partial<Readonly<Record<PatchOp, ReadChange<T>>>> {
  readonly path: string;
  /** Instead of the style's text for an operation this path does not take. */
  readonly wrongOp?: string;
}

/**
 * `pathOnly` is AWS's older wording (REST APIs, methods, integrations and their responses, gateway responses);
 * `listsPaths` the newer one (API keys, resources, models, request validators, documentation parts).
 */
export type PatchStyle = 'pathOnly' | 'listsPaths';

export interface PatchRules<T> {
  readonly style: PatchStyle;
  readonly rules: readonly PatchRule<T>[];
}

/**
 * The changes the operations ask for, in order; no operations are no changes. Throws BadRequest, in AWS's words, for the
 * first operation whose path, verb or value is wrong.
 */
export function readPatch<T>(operations: readonly PatchOperation[] | undefined, rules: PatchRules<T>): readonly Change<T>[] {
  return boundedOperations(operations ?? []).map((operation) => readOperation(operation, rules));
}

/**
 * Ours: every operation makes a new copy of what it changes, so the time of an update grows with the square of their number.
 * Terraform sends one for each member that differs, far fewer.
 */
const OPERATIONS_MAX = 1_000;

/** The operations. Throws BadRequest when there are more than one update may hold the process for. */
export function boundedOperations(operations: readonly PatchOperation[]): readonly PatchOperation[] {
  if (operations.length <= OPERATIONS_MAX) return operations;
  throw badRequest(`At most ${OPERATIONS_MAX} patch operations can be made at once, got ${operations.length}`);
}

/** The target after all changes. May throw what a change finds wrong with the target; the target itself stays as it was. */
export function applyChanges<T>(target: T, changes: readonly Change<T>[]): T {
  return changes.reduce((changed, change) => change(changed), target);
}

function readOperation<T>({ op, path, value, from }: PatchOperation, { style, rules }: PatchRules<T>): Change<T> {
  const found = path === undefined ? null : findRule(path, rules);
  const read = found !== null && isPatchOp(op) ? found.rule[op] : undefined;
  if (found === null || read === undefined) throw refusal(style, rules, found?.rule, op ?? 'null', path ?? 'null');
  return read({ key: found.key, value: value ?? '', from: from ?? '' });
}

function findRule<T>(path: string, rules: readonly PatchRule<T>[]): { rule: PatchRule<T>; key: string } | null {
  const exact = rules.find((rule) => rule.path === path && !takesKey(rule));
  if (exact !== undefined) return { rule: exact, key: '' };
  const cut = path.lastIndexOf('/') + 1;
  const rule = rules.find((candidate) => takesKey(candidate) && parentOf(candidate.path) === path.slice(0, cut));
  const key = unescapePointer(path.slice(cut));
  return rule === undefined || key === '' ? null : { rule, key };
}

const takesKey = (rule: { readonly path: string }): boolean => rule.path.endsWith('}');
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

/** RFC 6901 §4: `~1` first, so that `~01` becomes `~1`. */
export function unescapePointer(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}

function isPatchOp(op: string | undefined): op is PatchOp {
  return PATCH_OPS.some((known) => known === op);
}

// Control-plane reference 3.1 and 4.4. The two spaces after "path" are AWS's.
function refusal<T>(
  style: PatchStyle,
  rules: readonly PatchRule<T>[],
  rule: PatchRule<T> | undefined,
  op: string,
  path: string,
): Error {
  if (style === 'listsPaths') {
    const paths = isPatchOp(op)
      ? rules.filter((candidate) => candidate[op] !== undefined).map((candidate) => candidate.path)
      : [];
    return badRequest(
      `Invalid patch path  '${path}' specified for op '${op}'. ` +
        (paths.length === 0 ? 'Please choose supported operations' : `Must be one of: [${paths.join(', ')}]`),
    );
  }
  if (rule === undefined) return badRequest(`Invalid patch path ${path}`);
  const ops = PATCH_OPS.filter((known) => rule[known] !== undefined);
  return badRequest(rule.wrongOp ?? `Invalid patch operation specified. Must be one of: [${ops.join(', ')}]`);
}
