/** The cause of a fault: a template of the API's owner could not be rendered. Made on that path alone. */
export class TemplateFailure {
  constructor(
    readonly half: 'request' | 'response',
    /** The media type it is registered for, as its owner wrote it. */
    readonly name: string,
    /** Names line and column. */
    readonly error: Error & { readonly line: number; readonly column: number; readonly reason: string },
    /** The body it saw. */
    readonly input: Buffer | null,
  ) {}

  toString(): string {
    return `${this.error.name}: ${this.error.message}`;
  }
}
