import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { balancerConfig } from './balancer.js';
import { ROOT } from './part.js';

const deployed = readFileSync(path.join(ROOT, 'deploy/haproxy.cfg'), 'utf8');
const nodes = [1, 2, 3].map((n) => ({ port: 4_000 + n, adminPort: 5_000 + n }));

test('the balancer of the run is the deployed one, on ports of this machine', () => {
  const text = balancerConfig(deployed, 4_000, nodes, '/tmp/stats');
  expect(text).toContain('bind 127.0.0.1:4000');
  for (const { port, adminPort } of nodes) expect(text).toContain(`127.0.0.1:${port} port ${adminPort}`);
  expect(text).not.toMatch(/docker|:8080|8081|8443/);
  const rules = /^ {2}(?:retries|retry-on|option|http-request|timeout|balance).*$/gm;
  const [overHttp] = deployed.split('frontend domain-names');
  expect(text.match(rules), 'what decides about requests').toEqual(overHttp!.match(rules));
});

test('a deployed text that changed beyond what is known is an error, not a balancer of another kind', () => {
  expect(() => balancerConfig(deployed.replace('bind :8080', 'bind :80'), 4_000, nodes, '/tmp/stats')).toThrow('bind :8080');
});
