import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type { BodyMode } from './body.js';
import type { Exchange } from './exchange.js';
import type { FaultKind } from './fault.js';
import { CONTINUE, FAULT, PENDING, type Verdict } from './verdict.js';

/**
 * One unit of the pipeline. Touches the Exchange and what it closed over at link time, and knows none of its neighbours.
 * Throwing means a bug.
 */
export type Step = (x: Exchange) => Verdict | typeof PENDING | Promise<Verdict>;

/** What a factory sees of the stage and the route it makes a step for. */
export interface RouteSettings {
  readonly stage: StageSnapshot;
  readonly route: RouteSnapshot;
}

/** Asked once per route at link time; `null` for a route that does not need the step. Throws LinkRefusal. */
export type StepFactory = (settings: RouteSettings) => Step | null;

/** A snapshot this node will not serve; the message says what is wrong with it, for its owner. */
export class LinkRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LinkRefusal';
  }
}

/** Turns `x.fault` into the response. Synchronous and total: there is no fault of a fault. */
export interface FaultResponder {
  render(x: Exchange): void;
  /** What any answer waits for that neither the program nor `render` makes; absent where nothing has to be done before. */
  settle?(x: Exchange): void;
}

/** To be called before such an answer goes out: a listener's own. Before a program has begun there is nothing to settle. */
export function settleProgram(x: Exchange): void {
  x.program?.faults.settle?.(x);
}

/** Names of the steps, in their order. */
export interface StepNames {
  readonly request: readonly string[];
  readonly response: readonly string[];
}

/** One route, linked: two halves and what becomes of faults. Frozen. */
export interface Program {
  readonly requestSteps: readonly Step[];
  readonly responseSteps: readonly Step[];
  readonly requestBody: BodyMode;
  readonly responseBody: BodyMode;
  readonly faults: FaultResponder;
  /** What a step that throws ends in. */
  readonly bugFault: FaultKind;
  /** For whoever explains what it did; programs with the same steps share it. */
  readonly stepNames?: StepNames;
}

/**
 * Runs both halves; the one place where they and the faults meet. Afterwards `x.status`, `x.responseHeaders` and `x.responseBody`
 * are what the caller gets. True when that is so on return; otherwise `x.onOver` is called later, once. Never throws: a step that
 * does ends as the program's bug fault.
 */
export function startProgram(program: Program, x: Exchange): boolean {
  x.program = program;
  x.isRequestHalf = true;
  x.stepIndex = 0;
  return goOn(program, x, CONTINUE);
}

/** The same, awaited. */
export function runProgram(program: Program, x: Exchange): void | Promise<void> {
  return startProgram(program, x) ? undefined : untilOver(x);
}

/** For whoever started something on `x` that is not over. */
export function untilOver(x: Exchange): Promise<void> {
  return new Promise((resolve) => (x.onOver = resolve));
}

/** A step that waited has its verdict. */
export function proceed(x: Exchange, verdict: Verdict): void {
  if (goOn(x.program!, x, verdict)) x.onOver!();
}

/** From the step behind the one that gave `verdict`. Synchronous until a step waits. */
function goOn(program: Program, x: Exchange, verdict: Verdict): boolean {
  let last: Verdict = verdict;
  try {
    if (x.isRequestHalf) {
      const steps = program.requestSteps;
      while (last === CONTINUE && x.stepIndex < steps.length) {
        const next = steps[x.stepIndex++]!(x);
        if (isWaiting(x, next)) return false;
        last = next;
      }
      x.requestStepsRun = x.stepIndex;
      if (last !== FAULT) {
        x.isRequestHalf = false;
        x.stepIndex = 0;
        last = CONTINUE;
      }
    }
    const steps = program.responseSteps;
    while (last === CONTINUE && x.stepIndex < steps.length) {
      const next = steps[x.stepIndex++]!(x);
      if (isWaiting(x, next)) return false;
      last = next;
    }
  } catch (bug) {
    last = x.fail(program.bugFault, bug, 'running a step');
  }
  if (last === FAULT) program.faults.render(x);
  return true;
}

function isWaiting(
  x: Exchange,
  verdict: Verdict | typeof PENDING | Promise<Verdict>,
): verdict is typeof PENDING | Promise<Verdict> {
  if (verdict === PENDING) return true;
  if (typeof verdict !== 'object') return false;
  const bug = (cause: unknown): Verdict => x.fail(x.program!.bugFault, cause, 'running a step');
  void verdict.catch(bug).then((late) => proceed(x, late));
  return true;
}
