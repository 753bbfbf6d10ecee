// One keep-alive HTTP/1.1 connection of our own load programs: request bytes out, answers counted, bodies thrown away.
import net from 'node:net';

/** Anything but 200 with a Content-Length counts as an error: contenders are asked for nothing else. */
const HEAD = /^HTTP\/1\.1 200 [^]*\r\ncontent-length: *(\d+)\r\n/i;

export class RawConnection {
  #head = '';
  #bodyLeft = -1;
  #done = null;
  /** Why the last answer was none, for people. */
  problem = '';

  /** `readBytes`: size of its one read buffer. */
  constructor(port, readBytes) {
    const onread = { buffer: Buffer.allocUnsafe(readBytes), callback: (count, buffer) => this.#read(count, buffer) };
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true, onread });
    this.socket.on('error', (error) => (this.problem ||= error.code ?? error.message));
    this.socket.on('close', () => {
      this.problem ||= 'closed without an answer';
      this.#finish(false);
    });
  }

  /** False once the other side has closed. */
  get isOpen() {
    return !this.socket.destroyed && this.socket.readable;
  }

  get isConnecting() {
    return this.socket.connecting;
  }

  /** Calls `done(isGood)` when the whole answer is there or cannot come any more. One request at a time. */
  send(bytes, done) {
    this.#done = done;
    if (this.socket.destroyed) process.nextTick(() => this.#finish(false));
    else this.socket.write(bytes);
  }

  #read(count, buffer) {
    let bytes = count;
    if (this.#bodyLeft < 0) {
      this.#head += buffer.latin1Slice(0, Math.min(count, 16_384));
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return true;
      const length = HEAD.exec(this.#head.slice(0, end + 2))?.[1];
      if (length === undefined) {
        this.problem = this.#head.slice(0, this.#head.indexOf('\r\n'));
        this.socket.destroy();
        return false;
      }
      // What of the head came in earlier reads is not among these bytes.
      bytes -= end + 4 - (this.#head.length - Math.min(count, 16_384));
      this.#bodyLeft = Number(length);
      this.#head = '';
    }
    this.#bodyLeft -= bytes;
    if (this.#bodyLeft === 0) {
      this.#bodyLeft = -1;
      this.#finish(true);
    }
    return true;
  }

  #finish(isGood) {
    const done = this.#done;
    this.#done = null;
    done?.(isGood);
  }
}

/** The bytes of a request for `url`; `body` is appended. */
export function requestBytes({ url, headers = {} }, body = null) {
  const { host, pathname } = new URL(url);
  const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  if (body === null) return Buffer.from(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  lines.push('Content-Type: text/plain\r\n', `Content-Length: ${body.length}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), body]);
}
