import type { Exchange } from '@gatehouse/engine-exchange';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A caller's connection and what is under way on it, oldest first; several calls only when the caller pipelines. */
export class Connection {
  readonly calls = new Set<Call>();
  /** What came behind the last request is none: the answers that are due go out, then the connection ends. */
  isBroken = false;

  constructor(readonly socket: Socket) {
    socket.on('close', () => {
      for (const call of this.calls) call.callerLeft();
    });
  }

  /** Whether an answer is still due to a request that came whole. */
  get owesAnswers(): boolean {
    for (const call of this.calls) if (call.request.complete) return true;
    return false;
  }
}

/** One request on its connection, from its head to the end of its answer. */
export class Call {
  private onGone: (() => void) | null = null;
  private isBodyWanted: boolean;

  constructor(
    readonly x: Exchange,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly connection: Connection,
    /** The caller waits for `100 Continue` before it sends its body. */
    expectsContinue: boolean,
  ) {
    this.isBodyWanted = !expectsContinue;
  }

  /** Somebody reads the body now: the caller may send it. */
  askForBody(): void {
    if (this.isBodyWanted) return;
    this.isBodyWanted = true;
    if (!this.response.headersSent) this.response.writeContinue();
  }

  /** A caller that was never told to send its body may or may not send it now: nothing behind this call can be trusted. */
  get endsInDoubt(): boolean {
    return !this.isBodyWanted;
  }

  callerLeft(): void {
    if (this.x.isCallerGone) return;
    this.x.callerLeft();
    this.onGone?.();
  }

  /** Resolves when `start` says so or when the caller is gone. A response that waits behind others has no 'close' of its own. */
  untilGoneOr(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      this.onGone = resolve;
      if (this.x.isCallerGone) resolve();
      else start(resolve);
    });
  }
}
