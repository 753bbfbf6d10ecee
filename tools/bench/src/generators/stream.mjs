// Large bodies, one direction: a few connections, each asks again when the last byte is there.
import { STREAMED_BYTES } from '../bodies.mjs';
import { RawConnection, requestBytes } from './raw-connection.mjs';

const { target, isUpload, connections, seconds } = JSON.parse(process.argv[2]);
const READ_BYTES = 256 * 1024;
const bytes = requestBytes(target, isUpload ? Buffer.alloc(STREAMED_BYTES, 'x') : null);
const endMs = performance.now() + seconds * 1000;
const startMs = performance.now();
let lastMs = startMs;
let requests = 0;
let errors = 0;

function ask(connection) {
  connection.send(bytes, (isGood) => {
    if (isGood) requests++;
    else errors++;
    lastMs = performance.now();
    if (isGood && lastMs < endMs) ask(connection);
    else connection.socket.destroy();
  });
}

const port = Number(new URL(target.url).port);
for (let i = 0; i < connections; i++) ask(new RawConnection(port, READ_BYTES));
process.once('exit', () => console.log(JSON.stringify({ requests, errors, durationUs: (lastMs - startMs) * 1000 })));
