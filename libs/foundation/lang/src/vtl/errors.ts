/** Where something stands in a template, counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The template does not parse. */
export class VtlSyntaxError extends Error {
  constructor(
    readonly reason: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(`${reason} at line ${line}, column ${column}`);
    this.name = 'VtlSyntaxError';
  }
}

/** The template parses, but ended with an error for this request, or went beyond a bound. */
export class VtlRenderError extends Error {
  constructor(
    readonly reason: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(`${reason} at line ${line}, column ${column}`);
    this.name = 'VtlRenderError';
  }
}

/** Lines end with `\n`, `\r\n` or `\r`. */
export function positionOf(template: string, offset: number): Position {
  let line = 1;
  let lineStart = 0;
  for (let i = 0; i < offset; i++) {
    const code = template.charCodeAt(i);
    if (code === 10 || (code === 13 && template.charCodeAt(i + 1) !== 10)) {
      line++;
      lineStart = i + 1;
    }
  }
  return { line, column: offset - lineStart + 1 };
}
