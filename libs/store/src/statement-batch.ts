/**
 * Several prepared statements in one message to PostgreSQL, answered in one: what costs is the round trip, not the statement. Each sees
 * what was committed before it began, as if it had been sent alone. The first that fails ends the batch; those behind it never ran.
 *
 * A `Submittable` of `pg`, which writes and reads its own protocol messages. Values and columns are PostgreSQL's text, bytes apart.
 */
import type pg from 'pg';

export interface Statement {
  readonly name: string;
  readonly text: string;
}

export type StatementValue = string | Uint8Array | null;

export interface Answer {
  readonly rows: readonly (readonly (string | null)[])[];
  /** Rows read or written. */
  readonly count: number;
  /** E.g. `COMMIT`. */
  readonly command: string;
}

export interface Call {
  readonly statement: Statement;
  readonly values: readonly StatementValue[];
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

let statementCount = 0;

/** For texts that are written once, in the source: every connection keeps the plan of each it has run. */
export function statement(text: string): Statement {
  return { name: `gatehouse_${++statementCount}`, text };
}

/** Strings as PostgreSQL writes an array of them. */
export function arrayText(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join()}}`;
}

/** The part of `pg`'s connection that a batch writes to. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  close(message: { type: 'S'; name: string }): void;
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: readonly (string | Buffer | null)[] }): void;
  execute(message: object): void;
  sync(): void;
}

/** Names of the statements that a connection is known to have. */
const preparedOn = new WeakMap<object, Set<string>>();

export class StatementBatch implements pg.Submittable {
  private rows: (string | null)[][] = [];
  private answeredCount = 0;
  private prepared = new Set<string>();

  constructor(
    private readonly calls: readonly Call[],
    /** Called once, when the connection is done with it. */
    private readonly onDone: () => void,
  ) {}

  submit(connection: pg.Connection): void {
    const wire = connection as unknown as Wire;
    this.prepared = preparedOn.get(connection) ?? new Set();
    preparedOn.set(connection, this.prepared);
    wire.stream.cork();
    for (const { statement: asked, values } of this.calls) {
      const { name, text } = asked;
      if (!this.prepared.has(name)) {
        // Whether an earlier batch that failed came as far as this is not known. Closing what is not there is no error.
        wire.close({ type: 'S', name });
        wire.parse({ name, text });
        this.prepared.add(name);
      }
      wire.bind({ statement: name, values: values.map(asBound) });
      wire.execute({});
    }
    wire.sync();
    wire.stream.uncork();
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.rows.push(fields);
  }

  handleCommandComplete({ text }: { text: string }): void {
    const { rows } = this;
    this.rows = [];
    const countAt = text.lastIndexOf(' ') + 1;
    this.calls[this.answeredCount++]?.resolve({ rows, command: text, count: countAt === 0 ? 0 : Number(text.slice(countAt)) });
  }

  handleReadyForQuery(): void {
    this.onDone();
  }

  /** PostgreSQL's refusal of one statement, or the end of the connection. Nothing else is heard after it. */
  handleError(error: Error): void {
    for (const call of this.calls.slice(this.answeredCount)) {
      this.prepared.delete(call.statement.name);
      call.reject(error);
    }
    this.onDone();
  }
}

const asBound = (value: StatementValue): string | Buffer | null =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
