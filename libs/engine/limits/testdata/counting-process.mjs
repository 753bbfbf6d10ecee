// A node in miniature, to be killed: counts requests, says each on its pipe when it may be answered, offers its batches until
// they are acknowledged. Arguments: folder, epoch, `count` or `drain`. Run by usage-journal.spec.ts.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { UsageJournal } from '../src/usage-journal.ts';

const [folder, epoch, mode] = process.argv.slice(2);
const journal = new UsageJournal(folder, Number(epoch), { compactAtBytes: 400 });
const say = (message) => writeSync(1, `${JSON.stringify(message)}\n`);
const noonMs = Date.UTC(2026, 0, 1, 12);

createInterface({ input: process.stdin }).on('line', (line) => {
  const { epoch: ofEpoch, sequence } = JSON.parse(line);
  journal.acknowledge(ofEpoch, sequence);
  if (mode === 'drain' && journal.pending().length === 0) process.exit(0);
});

for (const batch of journal.pending()) say({ batch });
if (mode === 'drain' && journal.pending().length === 0) process.exit(0);

let requests = 0;
function serve() {
  // Some share a write, as the requests of one turn of a node do; others are written one by one.
  const mayBeAnswered = [];
  for (let i = 0; i < 7; i++) {
    const apiKeyId = `key ${(requests * 31) % 5}`;
    const nowMs = noonMs + requests;
    journal[i < 5 ? 'countSoon' : 'count']('123456789012', 'plan', apiKeyId, nowMs);
    mayBeAnswered.push([apiKeyId, nowMs]);
    if (++requests % 50 === 0) {
      journal.rotate();
      for (const batch of journal.pending()) say({ batch });
    }
    if (i % 3 === 0) continue;
    for (const [answered, countedAtMs] of mayBeAnswered.splice(0)) {
      journal.settle(countedAtMs);
      say({ answered });
    }
  }
  setImmediate(() => {
    for (const [answered] of mayBeAnswered) say({ answered });
    serve();
  });
}
if (mode === 'count') serve();
