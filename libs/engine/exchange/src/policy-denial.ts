/** The cause of a fault: a policy does not let the caller in. Made on that path alone; which statement it was is looked for when somebody asks. */
export class PolicyDenial {
  constructor(
    /** A statement denies; else none allows. */
    readonly isExplicit: boolean,
    /** What was asked for: the ARN of the method. */
    readonly resource: string,
    /** As its owner wrote it. */
    readonly policyDocument: unknown,
    /** Index of the statement that denies; -1 when none does. */
    readonly findStatement: () => number,
  ) {}

  toString(): string {
    return this.isExplicit ? 'a statement of the policy denies it' : 'no statement of the policy allows it';
  }
}
