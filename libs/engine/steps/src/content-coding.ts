/**
 * The content codings of REST APIs: gzip, deflate and identity (data-plane reference §10.3). What a caller takes is read from its
 * Accept-Encoding by RFC 9110 §12.5.3, but for one rule of API Gateway: the coding it likes best must be one of ours, or nothing is compressed.
 */
export type ContentCoding = 'gzip' | 'deflate';

const UNACCEPTED = 0;
/** Callers send few different texts; beyond so many all are forgotten. */
const KNOWN_MAX = 256;
const known = new Map<string, ContentCoding | null>();

/** What to compress for such a caller; `null` for nothing. Without the header anything is taken, and that is no wish to have it compressed. */
export function acceptedCoding(acceptEncoding: string | null): ContentCoding | null {
  if (acceptEncoding === null) return null;
  let coding = known.get(acceptEncoding);
  if (coding === undefined) {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(acceptEncoding, (coding = readAcceptEncoding(acceptEncoding)));
  }
  return coding;
}

/** Of equal weights the first counts. */
function readAcceptEncoding(text: string): ContentCoding | null {
  let best = '';
  let bestWeight = UNACCEPTED;
  for (const item of text.split(',')) {
    const [name = '', ...parameters] = item.split(';');
    const weight = weightOf(parameters);
    if (weight <= bestWeight) continue;
    best = name.trim().toLowerCase();
    bestWeight = weight;
  }
  return asCoding(best);
}

/** 1 unless it says otherwise; 0 for one that is no number from 0 to 1. */
function weightOf(parameters: readonly string[]): number {
  const parameter = parameters.map((text) => text.trim().toLowerCase()).find((text) => text.startsWith('q='));
  if (parameter === undefined) return 1;
  const weight = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(parameter);
  return weight === null ? UNACCEPTED : Number(weight[1]);
}

const asCoding = (name: string): ContentCoding | null => (name === 'gzip' || name === 'deflate' ? name : null);

/** How a body is coded that says so; `null` for not at all, `undefined` for a coding, or a list of codings, that is not ours. */
export function declaredCoding(contentEncoding: string): ContentCoding | null | undefined {
  const name = contentEncoding.trim().toLowerCase();
  return name === '' || name === 'identity' ? null : (asCoding(name) ?? undefined);
}
