import type http from 'node:http';
import type { PayloadSink } from './invocation.js';

/** A payload as the body of an HTTP response, no faster than its caller takes it. When nobody takes it any more, the rest is dropped. */
export class ResponseSink implements PayloadSink {
  hasStarted = false;
  onRoom: (() => void) | null = null;

  constructor(private readonly response: http.ServerResponse) {
    response.on('drain', () => this.room());
    response.once('close', () => this.room());
  }

  write(chunk: Buffer): boolean {
    const { response } = this;
    if (!this.hasStarted) {
      this.hasStarted = true;
      // The length is nobody's to know.
      if (!response.destroyed) response.writeHead(200, { 'content-type': 'application/octet-stream' });
    }
    return response.destroyed || response.write(chunk);
  }

  private room(): void {
    const { onRoom } = this;
    this.onRoom = null;
    onRoom?.();
  }
}
