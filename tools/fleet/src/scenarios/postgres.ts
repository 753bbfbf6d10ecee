/** PostgreSQL is killed, stopped for a while, slowed and made read-only. */
import assert from 'node:assert/strict';
import pg from 'pg';
import { refusal } from '../admin.js';
import type { ControlPlane, Fleet } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually, sleep } from '../wait.js';

const REPAIRED_MS = 40_000;
/** What a client may be told while the database is not there: an error of AWS's model that says it may try again. */
const CLEAN = /^(500 InternalFailure|503 ServiceUnavailable)/;

const write = (fleet: Fleet, plane: ControlPlane): Promise<string | null> => refusal(fleet.deploy(plane));

async function tellsOfDatabase(fleet: Fleet, isFailing: boolean): Promise<void> {
  for (const plane of fleet.planes)
    await eventually(`/readyz of ${plane.name} ${isFailing ? 'names the database' : 'is good'}`, REPAIRED_MS, async () => {
      const failing = await plane.failing();
      if (failing.includes('database') === isFailing && (isFailing || failing.length === 0)) return true;
      throw new Error(failing.join(', '));
    });
}

export const killPostgres: Scenario = {
  name: 'kill-postgres',
  guarantee:
    'kill -9 of PostgreSQL: writes are refused with an error of the model, nothing is half-written, and all goes on when it is back',
  run: async (fleet, tell) => {
    await fleet.postgres.kill();
    await tellsOfDatabase(fleet, true);
    for (const plane of fleet.planes) {
      const said = await write(fleet, plane);
      assert.match(said ?? 'done', CLEAN);
      tell(`${plane.name} while it is gone: ${said}`);
    }
    await fleet.postgres.restart();
    await tellsOfDatabase(fleet, false);
    tell(await fleet.isWell(REPAIRED_MS));
  },
};

export const pausePostgres: Scenario = {
  name: 'pause-postgres',
  guarantee: 'PostgreSQL hangs: writes wait or are refused cleanly, and all goes on when it does',
  run: async (fleet, tell) => {
    fleet.postgres.pause();
    const waiting = fleet.planes.map((plane) => write(fleet, plane));
    await sleep(4_000);
    fleet.postgres.resume();
    for (const said of await Promise.all(waiting)) {
      if (said !== null) assert.match(said, CLEAN);
      tell(`a write that came while it hung: ${said ?? 'done'}`);
    }
    await tellsOfDatabase(fleet, false);
    tell(await fleet.isWell(REPAIRED_MS));
  },
};

export const slowPostgres: Scenario = {
  name: 'slow-postgres',
  isLong: true,
  guarantee: 'each answer of PostgreSQL takes 2 s longer: traffic does not notice, writes are done or refused cleanly',
  run: async (fleet, tell) => {
    fleet.postgresWire.delayMs = 2_000;
    // A deployment asks the database some twenty times, one after the other; this one asks it six times.
    const asked = await Promise.all(
      fleet.planes.map(async ({ name, api }, index) => {
        const startMs = performance.now();
        const patchOperations = [{ op: 'replace' as const, path: '/description', value: name }];
        const write = () => api.updateRestApi({ restApiId: fleet.changing.apiId, patchOperations });
        const refused = await refusal(index === 0 ? write() : api.getRestApis({}));
        if (refused !== null) assert.match(refused, CLEAN);
        return `${index === 0 ? 'a write' : 'a read'}: ${refused ?? 'done'} after ${Math.round(performance.now() - startMs)} ms`;
      }),
    );
    fleet.postgresWire.delayMs = 0;
    tell(asked.join('; '));
    await tellsOfDatabase(fleet, false);
    tell(await fleet.isWell(REPAIRED_MS));
  },
};

export const readOnlyPostgres: Scenario = {
  name: 'read-only-postgres',
  guarantee: 'PostgreSQL takes no writes: they are refused cleanly, reads and traffic go on, usage waits on the nodes',
  run: async (fleet, tell) => {
    await setReadOnly(fleet, true);
    for (const plane of fleet.planes) {
      const said = await write(fleet, plane);
      assert.match(said ?? 'done', CLEAN);
      assert.equal(await refusal(plane.api.getRestApis({})), null, 'reads are answered');
      tell(`${plane.name}: ${said}`);
    }
    await sleep(2_000);
    await setReadOnly(fleet, false);
    tell(await fleet.isWell(REPAIRED_MS));
  },
};

/** As a standby or a full disk answers: every session's transactions are read-only. */
async function setReadOnly(fleet: Fleet, isReadOnly: boolean): Promise<void> {
  const client = new pg.Client({ connectionString: fleet.postgres.url });
  await client.connect();
  try {
    await client.query('SET default_transaction_read_only = off');
    await client.query(`ALTER SYSTEM SET default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`);
    await client.query('SELECT pg_reload_conf()');
  } finally {
    await client.end();
  }
}
