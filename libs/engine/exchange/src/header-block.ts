/**
 * Headers that came together and may come again: callers and upstreams that keep a connection repeat their headers word for word,
 * so a codec hands out the same block for the same text, and what is made of it is kept beside it. Never changed after it is made.
 */
export class HeaderBlock {
  /** The fields as lines of HTTP/1.1, with their ends; made by the first who writes them. */
  lines: string | null = null;
  /** The form in which one step hands the fields on, and for whom it was made. */
  derived: HeaderBlock | null = null;
  derivedFor = '';
  /** What the fields say about who asks; see `engine/accept`. */
  identity: object | null = null;
  /** Where the last request with these fields led; see `engine/accept`. */
  destination: object | null = null;
  /** Where the last request with these fields was sent on; see `engine/http1`. */
  upstream: object | null = null;
  /** The start of the last head that was written with these fields, and what it was made for; see `engine/http1`. */
  headStart = '';
  headMethod = '';
  headTarget = '';
  headHostLine = '';

  /** Of its Content-Type, as `mediaType` reads it; `undefined` until somebody asks. */
  mediaType: string | null | undefined = undefined;

  /** Name, value, name, value, ... */
  constructor(readonly fields: readonly string[]) {}
}
