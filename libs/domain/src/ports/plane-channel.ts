/**
 * What control planes of one database say to each other, now: who is not there hears nothing of it later, and nothing is kept. For
 * questions that only another one can answer.
 */
export interface PlaneChannel {
  /** To all, the sender included. At most `PLANE_MESSAGE_BYTES_MAX` bytes of UTF-8; rejects when it is longer, or cannot be sent. */
  send(message: string): Promise<void>;
  /** Resolves when messages are heard. Call what comes back to stop. */
  subscribe(onMessage: (message: string) => void): Promise<() => Promise<void>>;
}

/** PostgreSQL's notifications have fewer than 8,000 bytes. */
export const PLANE_MESSAGE_BYTES_MAX = 7_900;
