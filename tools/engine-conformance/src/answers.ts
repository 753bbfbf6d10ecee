/** Reads the answers on a caller's connection, strictly: what this cannot read fails the test. */
export interface Answer {
  readonly status: number;
  /** `Name: value` as it came. */
  readonly headers: readonly string[];
  readonly body: string;
  /** 1xx answers in front of it. */
  readonly interim: readonly number[];
}

/**
 * Complete answers in `text`. `httpMethods` are those of the requests, in order. `rest` is what is no complete answer; an answer
 * that only the end of the connection ends counts when `isClosed`.
 */
export function readAnswers(
  text: string,
  httpMethods: readonly string[],
  isClosed: boolean,
): { readonly answers: Answer[]; readonly rest: string } {
  const answers: Answer[] = [];
  let interim: number[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) break;
    const [start, ...headers] = rest.slice(0, end).split('\r\n') as [string, ...string[]];
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [^\r\n]*$/.exec(start)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) throw new Error(`no answer: ${JSON.stringify(rest.slice(0, 200))}`);
    for (const header of headers) {
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\r\n\0]*$/.test(header)) throw new Error(`no header: ${JSON.stringify(header)}`);
    }
    const after = rest.slice(end + 4);
    if (status < 200) {
      interim.push(status);
      rest = after;
      continue;
    }
    const isBodyless = httpMethods[answers.length] === 'HEAD' || status === 204 || status === 304;
    const body = isBodyless ? { text: '', rest: after } : readBody(headers, after, isClosed);
    if (body === null) break;
    answers.push({ status, headers, body: body.text, interim });
    interim = [];
    rest = body.rest;
  }
  return { answers, rest };
}

export function headerOf(answer: Answer, lowerName: string): string | null {
  const line = answer.headers.find((header) => header.toLowerCase().startsWith(`${lowerName}:`));
  return line === undefined ? null : line.slice(lowerName.length + 1).trim();
}

function readBody(headers: readonly string[], text: string, isClosed: boolean): { text: string; rest: string } | null {
  const lengths = headers.filter((header) => /^content-length:/i.test(header));
  const codings = headers.filter((header) => /^transfer-encoding:/i.test(header));
  if (lengths.length + codings.length > 1) throw new Error(`an answer framed twice: ${headers.join(', ')}`);
  if (codings.length === 1) return readChunks(text);
  if (lengths.length === 0) return isClosed ? { text, rest: '' } : null;
  const bytes = Number(/: ?(\d+)$/.exec(lengths[0]!)![1]);
  return text.length < bytes ? null : { text: text.slice(0, bytes), rest: text.slice(bytes) };
}

function readChunks(text: string): { text: string; rest: string } | null {
  let body = '';
  let rest = text;
  for (;;) {
    const line = /^([0-9a-fA-F]+)\r\n/.exec(rest);
    if (line === null) {
      if (/^[0-9a-fA-F]*\r?$/.test(rest)) return null;
      throw new Error(`no chunk: ${JSON.stringify(rest.slice(0, 100))}`);
    }
    const bytes = Number.parseInt(line[1]!, 16);
    const at = line[0].length;
    if (bytes === 0) {
      const trailers = /^((?:[^\r\n]+\r\n)*)\r\n/.exec(rest.slice(at));
      return trailers === null ? null : { text: body, rest: rest.slice(at + trailers[0].length) };
    }
    if (rest.length < at + bytes + 2) return null;
    body += rest.slice(at, at + bytes);
    if (rest.slice(at + bytes, at + bytes + 2) !== '\r\n') throw new Error('a chunk that does not end');
    rest = rest.slice(at + bytes + 2);
  }
}
