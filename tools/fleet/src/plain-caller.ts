/** One connection and nothing around it, so that one process can have many thousands of them: an answer at a time, of known length. */
import net from 'node:net';

export class PlainCaller {
  private received = '';
  private settle: (status: string) => void = () => {};
  private end = '';

  private socket: net.Socket | null = null;

  constructor(private readonly port: number) {}

  /** The status of the answer, else why there was none. Never rejects. */
  get(path: string): Promise<string> {
    if (this.end !== '') return Promise.resolve(this.end);
    this.received = '';
    return new Promise((resolve) => {
      this.settle = resolve;
      this.socket ??= this.connect();
      this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    });
  }

  close(): void {
    this.socket?.destroy();
  }

  /** With the first request on its way: a connection that says nothing is closed. */
  private connect(): net.Socket {
    const socket = net.connect({ port: this.port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
    socket.on('data', (text: string) => this.take(text));
    socket.on('error', ({ message }) => (this.end = message));
    socket.on('close', () => {
      this.end ||= 'closed';
      this.settle(this.end);
    });
    return socket;
  }

  private take(text: string): void {
    this.received += text;
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const [, bodyBytes] = /^content-length: (\d+)/im.exec(this.received) ?? [];
    if (this.received.length >= headEnd + 4 + Number(bodyBytes)) this.settle(this.received.slice(9, 12));
  }
}
