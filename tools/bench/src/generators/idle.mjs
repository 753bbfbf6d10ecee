// Many keep-alive connections that asked once and then wait. Prints how many are open; when its input ends, how many still are.
import { RawConnection, requestBytes } from './raw-connection.mjs';

const { target, connections } = JSON.parse(process.argv[2]);
/** Opened at a time, so that no backlog overflows. */
const BATCH = 100;
const bytes = requestBytes(target);
const port = Number(new URL(target.url).port);
const open = [];
let errors = 0;

for (let count = 0; count < connections; count += BATCH) {
  const batch = Array.from({ length: Math.min(BATCH, connections - count) }, () => new RawConnection(port, 1_024));
  open.push(...batch);
  const answers = await Promise.all(batch.map((connection) => new Promise((resolve) => connection.send(bytes, resolve))));
  errors += answers.filter((isGood) => !isGood).length;
}
const count = () => open.filter((connection) => connection.isOpen).length;
console.log(JSON.stringify({ open: count(), errors }));
process.stdin.resume().once('end', () => {
  process.stdout.write(`${JSON.stringify({ open: count(), errors })}\n`, () => process.exit(0));
});
