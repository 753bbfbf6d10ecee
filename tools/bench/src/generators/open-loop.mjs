// A fixed rate, whatever the answers do: request i is due at start + i / rate, and its latency counts from then, so that a proxy that stops for a
// while is charged for every request that had to wait (no coordinated omission).
import { percentile } from '../summary.mjs';
import { RawConnection, requestBytes } from './raw-connection.mjs';
import { everyTick } from './ticker.mjs';

/** The first requests find cold connections: their latency does not count. */
const UNCOUNTED_MS = 1_000;

generate(JSON.parse(process.argv[2]));

function generate({ target, rate, connections, seconds }) {
  const bytes = requestBytes(target);
  const port = Number(new URL(target.url).port);
  const free = Array.from({ length: connections }, () => new RawConnection(port, 16_384));
  const total = Math.round(((seconds * 1000 + UNCOUNTED_MS) * rate) / 1000);
  const latenciesUs = new Float64Array(total);
  const startMs = performance.now() + 50;
  const dueMs = (index) => startMs + (index * 1000) / rate;
  let sent = 0;
  let answered = 0;
  let counted = 0;
  let errors = 0;

  everyTick(sendDue);

  function sendDue() {
    const nowMs = performance.now();
    while (sent < total && free.length > 0 && dueMs(sent) <= nowMs) send(free.pop(), sent++);
  }

  function send(connection, index) {
    connection.send(bytes, (isGood) => {
      const nowMs = performance.now();
      if (!isGood) errors++;
      else if (dueMs(index) >= startMs + UNCOUNTED_MS) latenciesUs[counted++] = (nowMs - dueMs(index)) * 1000;
      free.push(isGood ? connection : new RawConnection(port, 16_384));
      if (++answered === total) finish();
      else sendDue();
    });
  }

  function finish() {
    const times = latenciesUs.subarray(0, counted).sort();
    const report = {
      requests: total - errors,
      errors,
      durationUs: (performance.now() - startMs) * 1000,
      p50Us: percentile(times, 0.5),
      p99Us: percentile(times, 0.99),
      p999Us: percentile(times, 0.999),
    };
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
  }
}
