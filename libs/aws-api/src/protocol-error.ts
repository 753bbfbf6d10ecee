/** A refusal that the protocol itself makes, before any handler is asked. */
export class ProtocolError extends Error {
  constructor(
    readonly type: string,
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ProtocolError';
  }
}

/** What the body says cannot be read as the operation's input. */
export const serializationError = (message: string): ProtocolError => new ProtocolError('SerializationException', 400, message);
