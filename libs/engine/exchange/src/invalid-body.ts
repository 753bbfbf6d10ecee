/** Why a body is not what its model says; found out when a gateway response of the stage's owner asks. */
export class InvalidBody {
  #message: string | null = null;

  constructor(private readonly explain: () => readonly string[]) {}

  /** In the form of AWS: `[object has missing required properties (["name"])]`. */
  get message(): string {
    return (this.#message ??= `[${this.explain().join(', ')}]`);
  }

  /** As it stands between the quotes of a JSON string: that is where templates put it, and a caller's text must not end one. */
  get escapedMessage(): string {
    return JSON.stringify(this.message).slice(1, -1);
  }

  /** For the operator's log: what callers send stays out of it. */
  toString(): string {
    return 'the body does not fit its model';
  }
}
