// The scenarios at full load: every connection, or stream, sends its next request when the answer is there.
import { ITEM, NOTE } from '../bodies.mjs';
import { target } from '../contenders.mjs';
import { load, loadHttp2 } from '../load.mjs';
import { measure } from '../measure.mjs';
import { answers } from '../servers.mjs';
import { COLUMNS, CPU_RATIO } from '../summary.mjs';
import { inRounds } from './rounds.mjs';

const { ratio, cpu, rate, ratePerCore, busy, p50, p99, p999, peak } = COLUMNS;
const PROBE_MS = 3_000;

function fullLoad({ name, title, who, targetOf, expected, program = 'wrk' }) {
  const loadWith = { wrk: load, h2load: loadHttp2 }[program];
  return {
    name,
    title,
    who,
    needs: program,
    compared: CPU_RATIO,
    columns: [ratio, cpu, rate, ratePerCore, busy, p50, p99, p999, peak],
    async probe(contender) {
      const body = await answers(targetOf(contender), contender.server, PROBE_MS);
      if (body !== expected) throw new Error(`answers something else than the upstream: ${body.slice(0, 80)}`);
    },
    async run(context) {
      const work = (contender, seconds) => loadWith(context.programs[program], targetOf(contender), seconds);
      return inRounds(context, {
        warmUp: work,
        sample: (contender) => measure(contender.pid, [context.proxyCore], () => work(contender, context.options.seconds)),
      });
    },
  };
}

export const get = fullLoad({
  name: 'get',
  title: 'Small GET',
  who: null,
  targetOf: (contender) => target(contender, '/item'),
  expected: ITEM,
});

export const post = fullLoad({
  name: 'post',
  title: 'POST, 1 KB JSON both ways',
  who: ['nginx', 'haproxy', 'caddy', 'node-undici', 'gatehouse-node-http', 'gatehouse'],
  targetOf: (contender) => {
    const plain = target(contender, '/echo', { body: NOTE });
    return { ...plain, headers: { ...plain.headers, 'Content-Type': 'application/json' } };
  },
  expected: NOTE,
});

export const tls = fullLoad({
  name: 'tls',
  title: 'Small GET, TLS',
  who: ['nginx', 'haproxy', 'caddy', 'gatehouse'],
  targetOf: (contender) => target(contender, '/item', { isTls: true }),
  expected: ITEM,
});

export const h2 = fullLoad({
  name: 'h2',
  title: 'Small GET, HTTP/2',
  who: ['nginx', 'haproxy', 'caddy', 'gatehouse'],
  targetOf: (contender) => target(contender, '/item', { isTls: true, isHttp2: true }),
  expected: ITEM,
  program: 'h2load',
});
