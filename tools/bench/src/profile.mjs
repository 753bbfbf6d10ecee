// Where our node spends its time: V8's sampling profiler, switched on in the running process.
import path from 'node:path';

/** Node's inspector after SIGUSR1 listens here, always. */
const INSPECTOR = 'http://127.0.0.1:9229';
const SAMPLE_US = 200;
const SHOWN = 20;

/** Profiles the process `pid` while `work` runs; resolves with its hottest functions by self time, idle time left out. */
export async function profileNode(pid, root, work) {
  process.kill(pid, 'SIGUSR1');
  const session = await connect();
  try {
    await session.send('Profiler.enable');
    await session.send('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await session.send('Profiler.start');
    await work();
    const { profile } = await session.send('Profiler.stop');
    return hottest(profile, root);
  } finally {
    session.close();
  }
}

/** Self time per function, in percent of the time the process was not idle. */
export function hottest(profile, root) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfUs = new Map();
  let totalUs = 0;
  profile.samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = nodes.get(id).callFrame;
    if (functionName === '(idle)') return;
    const us = profile.timeDeltas[index];
    const place = url === '' ? 'V8, native code' : `${path.relative(root, url.replace('file://', ''))}:${lineNumber + 1}`;
    const key = `${functionName || '(anonymous)'}\n${url.startsWith('node:') ? `${url}:${lineNumber + 1}` : place}`;
    selfUs.set(key, (selfUs.get(key) ?? 0) + us);
    totalUs += us;
  });
  return [...selfUs]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([key, us]) => {
      const [name, place] = key.split('\n');
      return { name, place, percent: Math.round((us * 1000) / totalUs) / 10 };
    });
}

async function connect() {
  const socket = new WebSocket(await inspectorUrl());
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('The inspector of the node refused the connection')), { once: true });
  });
  const waiting = new Map();
  let lastId = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    if (error !== undefined) waiting.get(id)?.reject(new Error(error.message));
    else waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  return {
    send: (method, params = {}) =>
      new Promise((resolve, reject) => {
        const id = ++lastId;
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    close: () => socket.close(),
  };
}

async function inspectorUrl() {
  for (let tries = 0; tries < 100; tries++) {
    const list = await fetch(`${INSPECTOR}/json/list`)
      .then((response) => response.json())
      .catch(() => []);
    const own = list.find(({ url }) => url?.endsWith('/data-plane/dist/main.js'));
    if (own !== undefined) return own.webSocketDebuggerUrl;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`No inspector at ${INSPECTOR}: is the port taken by another process?`);
}
