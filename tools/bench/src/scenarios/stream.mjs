// 10 MB bodies, down and up. Both windows of a contender follow each other.
import { STREAMED_BYTES } from '../bodies.mjs';
import { target } from '../contenders.mjs';
import { generate } from '../load.mjs';
import { measure } from '../measure.mjs';
import { processTree, residentBytes } from '../proc.mjs';
import { bold, megabytes, ratioOf } from '../summary.mjs';
import { inRounds } from './rounds.mjs';

const CONNECTIONS = 4;
const MEGABYTES = STREAMED_BYTES / 1e6;

const stream = (contender, isUpload, seconds) => {
  const settings = { target: target(contender, isUpload ? '/upload' : '/download'), isUpload, connections: CONNECTIONS };
  return generate('stream.mjs', settings, seconds);
};

export const streamBodies = {
  name: 'stream',
  title: '10 MB streamed',
  who: ['nginx', 'haproxy', 'caddy', 'gatehouse-node-http', 'gatehouse'],
  needs: null,
  compared: {
    downRatio: ratioOf('downMbPerSecond'),
    downCpuRatio: ratioOf('downCpuMs'),
    upRatio: ratioOf('upMbPerSecond'),
    upCpuRatio: ratioOf('upCpuMs'),
  },
  columns: [
    ['down, ratio to nginx', ({ downRatio }) => bold(downRatio)],
    ['down MB/s', ({ downMbPerSecond }) => downMbPerSecond.toFixed(0)],
    ['down CPU ms each', ({ downCpuMs }) => downCpuMs.toFixed(1)],
    ['up, ratio to nginx', ({ upRatio }) => bold(upRatio)],
    ['up MB/s', ({ upMbPerSecond }) => upMbPerSecond.toFixed(0)],
    ['up CPU ms each', ({ upCpuMs }) => upCpuMs.toFixed(1)],
    ['MB before, peak', ({ baseBytes, peakBytes }) => `${megabytes(baseBytes)}, ${megabytes(peakBytes)}`],
  ],
  async probe(contender) {
    for (const isUpload of [false, true]) {
      const { requests, errors } = await stream(contender, isUpload, 0.1);
      if (errors > 0 || requests === 0)
        throw new Error(`fails at a 10 MB body ${isUpload ? 'from the caller' : 'to the caller'}`);
    }
    contender.baseBytes = residentBytes(processTree(contender.pid));
  },
  async run(context) {
    const { proxyCore, options } = context;
    const sample = async (contender) => {
      const window = (isUpload) => measure(contender.pid, [proxyCore], () => stream(contender, isUpload, options.seconds));
      const down = await window(false);
      const up = await window(true);
      return {
        downMbPerSecond: down.requestsPerSecond * MEGABYTES,
        downCpuMs: down.cpuUsPerRequest / 1000,
        upMbPerSecond: up.requestsPerSecond * MEGABYTES,
        upCpuMs: up.cpuUsPerRequest / 1000,
        baseBytes: contender.baseBytes,
        peakBytes: Math.max(down.peakBytes, up.peakBytes),
        // Over both directions, for the progress line.
        cpuUsPerRequest: (down.cpuUsPerRequest + up.cpuUsPerRequest) / 2,
        requestsPerSecond: (down.requestsPerSecond + up.requestsPerSecond) / 2,
        foreignPercent: Math.max(down.foreignPercent, up.foreignPercent),
        requests: down.requests + up.requests,
        errors: down.errors + up.errors,
      };
    };
    const warmUp = async (contender, seconds) => {
      for (const isUpload of [false, true]) await stream(contender, isUpload, seconds / 3);
    };
    return inRounds(context, { warmUp, sample, compared: streamBodies.compared });
  },
};
