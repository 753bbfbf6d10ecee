import { lastHeader } from '@gatehouse/engine-exchange';

// Whether a media type is binary for an API (data-plane reference §3.10): an entry "type/*" stands for its family and "*/*" for all,
// but "*/subtype" is no wildcard; an "image/*" in a request does not match an entry "image/png".
export type BinaryTest = (mediaType: string | null) => boolean;

export function compileBinaryTest(binaryMediaTypes: readonly string[]): BinaryTest {
  const exact = new Set<string>();
  const families: string[] = [];
  for (const entry of binaryMediaTypes) {
    const type = entry.toLowerCase();
    if (type === '*/*') return (mediaType) => mediaType !== null;
    if (type.endsWith('/*')) families.push(type.slice(0, -1));
    exact.add(type);
  }
  if (exact.size === 0) return () => false;
  return (mediaType) => mediaType !== null && (exact.has(mediaType) || families.some((family) => mediaType.startsWith(family)));
}

/** Only the first type of Accept counts for binary answers. */
export function firstAccepted(headers: readonly string[]): string | null {
  return acceptedTypes(headers)[0] ?? null;
}

export function acceptedTypes(headers: readonly string[]): string[] {
  const accept = lastHeader(headers, 'accept');
  if (accept === null) return [];
  return accept.split(',').map((range) => range.split(';', 1)[0]!.trim().toLowerCase());
}
