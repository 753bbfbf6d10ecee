export interface HeadLimits {
  /** Request or status line, without its CRLF. */
  readonly startLineBytesMax: number;
  /** From the first byte to the empty line, both included; at most HEAD_BYTES_CEILING. For trailers: the whole section. */
  readonly headBytesMax: number;
  readonly headerCountMax: number;
}

/** The expression that scans a head keeps a stack per line: at 16 MiB of short lines it overflows, at 1 MiB it is far from it. */
export const HEAD_BYTES_CEILING = 1_048_576;

/** Data-plane reference §13: 20480 bytes for request line and headers. */
export const DEFAULT_HEAD_LIMITS: HeadLimits = { startLineBytesMax: 16_384, headBytesMax: 20_480, headerCountMax: 200 };

export interface ChunkedLimits {
  /** All extensions of one body together, with the CR behind each: they carry nothing and are dropped. */
  readonly chunkExtensionBytesMax: number;
  readonly trailers: HeadLimits;
}

export const DEFAULT_CHUNKED_LIMITS: ChunkedLimits = {
  chunkExtensionBytesMax: 4_096,
  trailers: { startLineBytesMax: 8_192, headBytesMax: 8_192, headerCountMax: 50 },
};
