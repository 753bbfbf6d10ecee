// Fault 38: what is wrong with an upstream's certificate is a failure with a cause of its own, never a silent downgrade.
import type { Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect } from 'vitest';
import { makeCertificates } from '@gatehouse/testkit';
import { conform, forEveryEngine, type House } from './conform.js';
import { stageOf, type Gate } from './gate.js';

const certificates = makeCertificates();
setDefaultCACertificates([...getCACertificates('default'), certificates.authority]);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const { good, expired, notYetValid, wrongName, unknownAuthority } = certificates;

const FAULTY = [
  ['expired', expired],
  ['not valid yet', notYetValid],
  ['for another name', wrongName],
  ['by an unknown authority', unknownAuthority],
] as const;

/** Codes of a cause and of what it stems from. */
function codesOf(cause: unknown): string {
  const codes: string[] = [];
  for (
    let one = cause as { code?: string; cause?: unknown } | undefined;
    one !== undefined && one !== null;
    one = one.cause as never
  ) {
    if (one.code !== undefined) codes.push(one.code);
  }
  return codes.join(' ');
}

async function refusal(gate: Gate, path = '/dev/x'): Promise<string> {
  const { status, text } = await gate.call(path);
  expect([502, 504]).toContain(status);
  expect(text).toBe('{"message":"Network error communicating with endpoint"}');
  expect(gate.lines.at(-1)?.fault ?? 'INTEGRATION_FAILURE').toBe('INTEGRATION_FAILURE');
  await gate.recorded(gate.causes.length);
  return codesOf(gate.causes.at(-1));
}

async function gateTo(house: House, url: string): Promise<Gate> {
  const gate = await house.gate();
  await gate.publish(
    stageOf([
      { path: '/{proxy+}', httpMethod: 'ANY', integration: gate.toPath(url) },
      { path: '/careless', integration: gate.to(`${url}/careless`, { insecureSkipVerification: true }) },
    ]),
  );
  return gate;
}

forEveryEngine((engine) => {
  conform(engine, 38, 'a good certificate is accepted, and the connection is kept', async (house) => {
    const up = await house.rawUpstream((call) => call.send(OK), { tls: good });
    const gate = await gateTo(house, up.url);
    for (let i = 0; i < 3; i++) expect((await gate.call('/dev/x')).text).toBe('ok');
    expect([up.connections, up.calls.length]).toEqual([1, 3]);
  });

  for (const [what, certificate] of FAULTY) {
    conform(engine, 38, `a certificate that is ${what} is a failure, and no byte of the request is sent`, async (house) => {
      const up = await house.rawUpstream((call) => call.send(OK), { tls: certificate });
      const gate = await gateTo(house, up.url);
      expect(await refusal(gate)).not.toBe('');
      expect([up.calls, up.received.join('')]).toEqual([[], '']);
    });

    conform(
      engine,
      38,
      `a certificate that is ${what} is taken by a route that asks for it, and by no other on the same upstream`,
      async (house) => {
        const up = await house.rawUpstream((call) => call.send(OK), { tls: certificate });
        const gate = await gateTo(house, up.url);
        expect((await gate.call('/dev/careless')).text).toBe('ok');
        // Neither the open connection nor the TLS session of the careless route serves the other.
        await refusal(gate);
        expect(up.calls.map(({ target }) => target)).toEqual(['/careless']);
      },
    );
  }

  conform(engine, 38, 'an upstream that wants a certificate of ours is a failure', async (house) => {
    const up = await house.rawUpstream((call) => call.send(OK), {
      tls: { ...good, ca: certificates.authority, requestCert: true, rejectUnauthorized: true },
    });
    const gate = await gateTo(house, up.url);
    await refusal(gate);
    expect(up.calls).toEqual([]);
  });

  conform(engine, 38, 'each of these has a cause of its own', async (house) => {
    const causes = new Set<string>();
    for (const [, certificate] of FAULTY) {
      const up = await house.rawUpstream((call) => call.send(OK), { tls: certificate });
      causes.add(await refusal(await gateTo(house, up.url)));
    }
    const demanding = await house.rawUpstream((call) => call.send(OK), {
      tls: { ...good, ca: certificates.authority, requestCert: true, rejectUnauthorized: true },
    });
    causes.add(await refusal(await gateTo(house, demanding.url)));
    expect([...causes].length, [...causes].join(', ')).toBe(FAULTY.length + 1);
  });

  conform(engine, 38, 'an upstream without TLS behind an https URL gets nothing in the clear', async (house) => {
    const onConnection = (socket: Socket): void =>
      void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    const up = await house.rawUpstream((call) => call.send(OK), { onConnection });
    const gate = await gateTo(house, up.url.replace('http:', 'https:'));
    await refusal(gate);
    expect([up.calls, up.received.join('').includes('GET')]).toEqual([[], false]);
  });

  conform(engine, 38, 'an upstream that knows only old versions of TLS is a failure', async (house) => {
    const up = await house.rawUpstream((call) => call.send(OK), {
      tls: { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    });
    await refusal(await gateTo(house, up.url));
    expect(up.calls).toEqual([]);
  });

  conform(engine, 38, 'an upstream that never ends its handshake is 504 at the timeout', async (house) => {
    const up = await house.rawUpstream();
    const gate = await house.gate({ timeoutMs: 300, connector: { connectTimeoutMs: 1_000 } });
    await gate.proxyTo(up.url.replace('http:', 'https:'));
    expect((await gate.call('/dev/x')).status).toBe(504);
  });

  conform(engine, 38, 'bodies pass through TLS as they are', async (house) => {
    const bytes = 3 * 1024 * 1024;
    const up = await house.rawUpstream(
      (call) => void call.body.then((body) => call.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)),
      { tls: good },
    );
    const gate = await gateTo(house, up.url);
    const body = Buffer.alloc(bytes, 'abcdefghij');
    const answer = await gate.call('/dev/x', { httpMethod: 'PUT', body });
    expect([answer.status, answer.body.equals(body)]).toEqual([200, true]);
  });
});
