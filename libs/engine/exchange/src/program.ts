import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type { BodyMode } from './body.js';
import type { Exchange } from './exchange.js';
import type { FaultKind } from './fault.js';
import { CONTINUE, FAULT, type Verdict } from './verdict.js';

/**
 * One unit of the pipeline. Touches the Exchange and what it closed over at link time, and knows none of its neighbours.
 * Throwing means a bug.
 */
export type Step = (x: Exchange) => Verdict | Promise<Verdict>;

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
}

/** Runs until a step does not continue; becomes asynchronous only at a step that returned a promise. */
export function runSteps(steps: readonly Step[], x: Exchange): Verdict | Promise<Verdict> {
  for (let i = 0; i < steps.length; i++) {
    const verdict = steps[i]!(x);
    if (typeof verdict === 'object') return finishSteps(steps, x, i, verdict);
    if (verdict !== CONTINUE) return verdict;
  }
  return CONTINUE;
}

async function finishSteps(steps: readonly Step[], x: Exchange, index: number, pending: Promise<Verdict>): Promise<Verdict> {
  let verdict = await pending;
  for (let i = index + 1; verdict === CONTINUE && i < steps.length; i++) {
    const next = steps[i]!(x);
    verdict = typeof next === 'object' ? await next : next;
  }
  return verdict;
}

/**
 * The one place where the two halves and the faults meet. Afterwards `x.status`, `x.responseHeaders` and `x.responseBody`
 * are what the caller gets. Does not throw and does not reject.
 */
export function runProgram(program: Program, x: Exchange): void | Promise<void> {
  let verdict: Verdict | Promise<Verdict>;
  try {
    verdict = runSteps(program.requestSteps, x);
    if (typeof verdict !== 'object' && verdict !== FAULT) verdict = runSteps(program.responseSteps, x);
    else if (typeof verdict === 'object') return runLateProgram(program, x, verdict, true);
    if (typeof verdict === 'object') return runLateProgram(program, x, verdict, false);
  } catch (bug) {
    verdict = x.fail(program.bugFault, bug, 'running a step');
  }
  if (verdict === FAULT) program.faults.render(x);
}

async function runLateProgram(program: Program, x: Exchange, pending: Promise<Verdict>, isRequestHalf: boolean): Promise<void> {
  let verdict: Verdict;
  try {
    verdict = await pending;
    if (isRequestHalf && verdict !== FAULT) {
      const late = runSteps(program.responseSteps, x);
      verdict = typeof late === 'object' ? await late : late;
    }
  } catch (bug) {
    verdict = x.fail(program.bugFault, bug, 'running a step');
  }
  if (verdict === FAULT) program.faults.render(x);
}
