// Asks one node again and again which version of an API it serves.
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestBytes } from '../generators/raw-connection.mjs';
import { hostOf, versionPath } from './apis.mjs';

/** Between an answer and the next question. The figures are as exact as that. */
const PAUSE_MS = 2;
const DEADLINE_MS = 30_000;

export class VersionProbe {
  #text = '';
  #answered = null;

  constructor(port, apiId) {
    this.bytes = requestBytes({ url: `http://127.0.0.1:${port}${versionPath}`, headers: { Host: hostOf(apiId) } });
    this.port = port;
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => this.#read(text));
    this.socket.on('error', (error) => this.#answered?.reject(error));
    this.socket.on('close', () => this.#answered?.reject(new Error(`Node ${port} closed the connection of the probe`)));
  }

  /** Resolves with the time at which the node first answered with `version`. */
  async liveAtMs(version) {
    const endMs = performance.now() + DEADLINE_MS;
    for (;;) {
      const answer = await this.#ask();
      if (answer === `/version/${version}`) return performance.now();
      if (performance.now() > endMs) throw new Error(`Node ${this.port} does not serve version ${version}; it answers ${answer}`);
      await sleep(PAUSE_MS);
    }
  }

  close() {
    this.#answered = null;
    this.socket.destroy();
  }

  #ask() {
    this.#answered = Promise.withResolvers();
    this.socket.write(this.bytes);
    return this.#answered.promise;
  }

  #read(text) {
    this.#text += text;
    const headEnd = this.#text.indexOf('\r\n\r\n');
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(this.#text.slice(0, headEnd + 2))?.[1];
    if (headEnd < 0 || length === undefined || this.#text.length < headEnd + 4 + Number(length)) return;
    const body = this.#text.slice(headEnd + 4);
    this.#text = '';
    this.#answered?.resolve(body);
  }
}
