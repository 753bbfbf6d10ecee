/**
 * What one rendering may use. Counted, not timed: the same template and request end the same way on every machine.
 *
 *   steps   statements run, items looped over, nodes of a body visited, and a share of every text that is built or searched
 *   chars   text built, whether it is printed or not
 */
export class Budget {
  stepsLeft: number;
  charsLeft: number;

  constructor(limits: RenderLimits = LIMITS) {
    this.stepsLeft = limits.steps;
    this.charsLeft = limits.chars;
  }

  step(count: number): void {
    this.stepsLeft -= count;
    if (this.stepsLeft < 0) throw new RenderFailure('The template takes more steps than allowed');
  }

  /** For a text of `chars` characters about to be built. */
  build(chars: number): void {
    this.charsLeft -= chars;
    this.stepsLeft -= chars >> 6;
    if (this.charsLeft < 0) throw new RenderFailure('The template builds more text than allowed');
  }
}

export interface RenderLimits {
  readonly steps: number;
  readonly chars: number;
}

/** Two million steps take some tenths of a second at worst; the text is three bodies of the largest size (API Gateway quotas: 10 MB). */
export const LIMITS: RenderLimits = { steps: 2_000_000, chars: 32 * 1024 * 1024 };

/** Ends a rendering; whoever knows the place turns it into a VtlRenderError. */
export class RenderFailure extends Error {
  constructor(readonly reason: string) {
    super(reason);
    this.name = 'RenderFailure';
  }
}
