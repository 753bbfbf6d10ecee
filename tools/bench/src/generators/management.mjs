// Callers of the management API: each sends its next call when the answer is there, as Terraform's ten do. Unmodified clients of the AWS SDK.
import { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import { apiIdOf } from '../management/data.mjs';
import { OPERATIONS } from '../management/operations.mjs';
import { percentile } from '../summary.mjs';

/** Connections are made, code is compiled: these calls do not count. */
const UNCOUNTED_MS = 1_000;

await generate(JSON.parse(process.argv[2]));

async function generate({ operation, endpoint, tenants, callers, template, apisPerTenant, seconds }) {
  const { run, calls = 1 } = OPERATIONS.find(({ name }) => name === operation);
  const clients = tenants.map(
    ({ credentials }) => new APIGatewayClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 }),
  );
  const latenciesUs = [];
  const problems = [];
  const countFromMs = performance.now() + UNCOUNTED_MS;
  const endMs = countFromMs + seconds * 1000;
  let count = 0;
  let errors = 0;
  const call = async (caller) => {
    for (let beganMs = performance.now(); beganMs < endMs; beganMs = performance.now()) {
      const at = caller % clients.length;
      count++;
      // Of each caller its own APIs, all of them in turn.
      const apiIndex = (caller + count * callers) % apisPerTenant;
      const api = { ...template, restApiId: apiIdOf(at, apiIndex, apisPerTenant) };
      try {
        await run(clients[at], api, count);
        if (beganMs >= countFromMs) latenciesUs.push(((performance.now() - beganMs) * 1000) / calls);
      } catch (error) {
        errors++;
        if (problems.length < 3) problems.push(`${error.name}: ${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  const times = Float64Array.from(latenciesUs).sort();
  const report = {
    requests: times.length * calls,
    errors,
    problems,
    durationUs: (performance.now() - countFromMs) * 1000,
    p50Us: percentile(times, 0.5),
    p99Us: percentile(times, 0.99),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}
