import { HeaderBlock, type UpstreamRequest } from '@gatehouse/engine-exchange';
import { expect, test } from 'vitest';
import { outgoingHead } from './request-head.js';

const HOST = 'Host: a\r\n';
const FIELDS = ['Accept', 'x/y', 'host', 'mine', 'content-length', '3'];

const headOf = (block: HeaderBlock, target: string, hostLine: string, over: Partial<UpstreamRequest> = {}) =>
  outgoingHead(
    { httpMethod: 'GET', url: '', tenant: '', traceId: 'Root=1', block, headers: [], body: null, timeoutMs: 1, ...over },
    target,
    hostLine,
  );

test('what goes out with the same headers again says what this request says, whatever went before', () => {
  const shared = new HeaderBlock(FIELDS);
  const requests: [target: string, hostLine: string, over?: Partial<UpstreamRequest>][] = [
    ['/x', HOST],
    ['/x', HOST, { traceId: 'Root=2' }],
    ['/x', HOST, { traceId: 'Root=3' }],
    ['/y?a=1', HOST],
    ['/y?a=1', HOST],
    ['/y?a=1', HOST],
    ['/y?a=1', 'Host: b\r\n'],
    ['/y?a=1', 'Host: b\r\n', { httpMethod: 'DELETE' }],
    ['/y?a=1', 'Host: b\r\n', { httpMethod: 'POST' }],
    ['/y?a=1', 'Host: b\r\n', { headers: ['Own', '1'] }],
    ['/y?a=1', 'Host: b\r\n', { body: Buffer.from('ab') }],
    ['/bad target', HOST],
    ['/x', HOST, { httpMethod: 'G T' }],
    ['/x', HOST],
  ];
  for (const [target, hostLine, over] of requests) {
    expect(headOf(shared, target, hostLine, over)).toEqual(headOf(new HeaderBlock(FIELDS), target, hostLine, over));
  }
  expect(headOf(shared, '/x', HOST)).toEqual({
    text: 'GET /x HTTP/1.1\r\nHost: a\r\nAccept: x/y\r\nX-Amzn-Trace-Id: Root=1\r\n\r\n',
    bodyBytes: 0,
  });
  expect([headOf(shared, '/bad target', HOST), headOf(shared, '/x', HOST, { httpMethod: 'G T' })]).toEqual([null, null]);
});
