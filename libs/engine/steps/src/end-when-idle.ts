import { Transform, type Readable } from 'node:stream';

/** Nothing came for too long. */
export class IdleStream extends Error {
  constructor(idleMs: number) {
    super(`no byte of the answer within ${idleMs} ms`);
    this.name = 'IdleStream';
  }
}

/** The same bytes, which break off when none came for so long. While the reader takes none, nobody is late. */
export function endWhenIdle(source: Readable, idleMs: number): Readable {
  const timer = setTimeout(() => {
    if (guarded.writableNeedDrain || guarded.readableLength > 0) timer.refresh();
    else guarded.destroy(new IdleStream(idleMs));
  }, idleMs);
  timer.unref();
  const guarded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer.refresh();
      done(null, chunk);
    },
  });
  guarded.on('error', () => undefined); // whoever reads hears of it by a listener of its own
  guarded.on('close', () => {
    clearTimeout(timer);
    if (!source.readableEnded) source.destroy();
  });
  source.on('error', (cause) => guarded.destroy(cause));
  source.on('close', () => {
    if (!source.readableEnded) guarded.destroy(source.errored ?? new Error('the answer ended early'));
  });
  return source.pipe(guarded);
}
