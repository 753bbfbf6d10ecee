/**
 * Header fields as they stood on the wire: name, value, name, value, ... in order, with their case and repetitions.
 * Names are compared without regard to case unless a function says otherwise.
 */
export type RawHeaders = string[];

export function isHeaderName(name: string, lowerName: string): boolean {
  return name.length === lowerName.length && (name === lowerName || name.toLowerCase() === lowerName);
}

/** Value of the last field of that name, or `null`. */
export function lastHeader(headers: readonly string[], lowerName: string): string | null {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (isHeaderName(headers[i]!, lowerName)) return headers[i + 1]!;
  return null;
}

/** All values in order. */
export function allHeaders(headers: readonly string[], lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (isHeaderName(headers[i]!, lowerName)) values.push(headers[i + 1]!);
  return values;
}

/** Values of exactly this spelling, in order: the names of mappings are case-sensitive in REST APIs. */
export function exactHeaders(headers: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) values.push(headers[i + 1]!);
  return values;
}

export function removeHeader(headers: RawHeaders, lowerName: string): void {
  let kept = 0;
  for (let i = 0; i < headers.length; i += 2) {
    if (isHeaderName(headers[i]!, lowerName)) continue;
    headers[kept++] = headers[i]!;
    headers[kept++] = headers[i + 1]!;
  }
  headers.length = kept;
}

/** Replaces every field of that name by one at the end. */
export function setHeader(headers: RawHeaders, name: string, value: string): void {
  removeHeader(headers, name.toLowerCase());
  headers.push(name, value);
}

/** The media type without parameters, in lower case; `null` when there is no such header. */
export function mediaType(headers: readonly string[]): string | null {
  const value = lastHeader(headers, 'content-type');
  if (value === null) return null;
  const end = value.indexOf(';');
  return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase();
}
