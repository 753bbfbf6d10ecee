import { PLANE_MESSAGE_BYTES_MAX, type PlaneChannel } from '../plane-channel.js';

export class InMemoryPlaneChannel implements PlaneChannel {
  readonly #subscribers = new Set<(message: string) => void>();

  async send(message: string): Promise<void> {
    if (new TextEncoder().encode(message).length > PLANE_MESSAGE_BYTES_MAX) throw new Error('the message is too long');
    for (const subscriber of this.#subscribers) queueMicrotask(() => subscriber(message));
  }

  async subscribe(onMessage: (message: string) => void): Promise<() => Promise<void>> {
    const subscriber = (message: string) => onMessage(message);
    this.#subscribers.add(subscriber);
    return async () => void this.#subscribers.delete(subscriber);
  }
}
