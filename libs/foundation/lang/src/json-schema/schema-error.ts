/** The text is not a draft-04 schema, or one that is not compiled here; `message` names the place by JSON pointer. */
export class SchemaError extends Error {
  constructor(place: string, reason: string) {
    super(`${place}: ${reason}`);
    this.name = 'SchemaError';
  }
}
