import type { Readable } from 'node:stream';

/**
 * What a caller sends, until it ends or breaks off. Unlike the stream's own iterator it leaves the stream alone at its end: that one
 * destroys it, and what is still on its way to the caller, the reason of a refusal too, would never go out.
 */
export async function* messagesOf<Message>(call: Readable): AsyncGenerator<Message> {
  let isOver = false;
  let wake = (): void => undefined;
  const over = (): void => {
    isOver = true;
    wake();
  };
  call.on('readable', () => wake());
  for (const event of ['end', 'error', 'close']) call.on(event, over);
  for (;;) {
    const message = call.read() as Message | null;
    if (message !== null) yield message;
    else if (isOver) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}
