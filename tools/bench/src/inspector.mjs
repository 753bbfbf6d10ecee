// V8's inspector in a running process: SIGUSR1 opens it on 127.0.0.1, on 9229 unless the process was started with --inspect-port.

/** A session with the inspector at `port`, of the program whose path ends with `program`. */
export async function openInspector(port, program) {
  const socket = new WebSocket(await inspectorUrl(port, program));
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
  socket.addEventListener('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('The inspected process closed the connection'));
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

async function inspectorUrl(port, program) {
  for (let tries = 0; tries < 100; tries++) {
    const list = await fetch(`http://127.0.0.1:${port}/json/list`)
      .then((response) => response.json())
      .catch(() => []);
    const own = list.find(({ url }) => url?.endsWith(program));
    if (own !== undefined) return own.webSocketDebuggerUrl;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`No inspector at 127.0.0.1:${port}: is the port taken by another process?`);
}
