/**
 * What runs inside a Node.js execution environment, before and around the tenant's handler. It shares the process with code
 * nobody trusts: the runner believes nothing it says beyond the frame format, and enforces every limit from outside.
 *
 * Frames on descriptor 3, both ways: u32 length of meta, u32 length of body (big endian), u8 kind, meta (JSON), body.
 *
 *   runner -> here   10 INIT {handler, taskRoot, environment}   11 INVOKE {id, deadlineMs, arn, clientContext, ...}, event
 *   here -> runner    1 READY    2 INIT_ERROR, error    3 REPLY {id, contentType?}, payload    4 FAILURE {id}, error
 *                     5 CHUNK {id}, part of a streamed payload; the REPLY that follows ends it
 *                     6 FATAL {id}, error: a failure after which this process ends
 *
 * Behaviour follows aws-lambda-nodejs-runtime-interface-client (error names and texts, handler lookup, event loop rules).
 */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { syncBuiltinESMExports } from 'node:module';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { format, types } from 'node:util';

const READY = 1;
const INIT_ERROR = 2;
const REPLY = 3;
const FAILURE = 4;
const CHUNK = 5;
const FATAL = 6;
const INIT = 10;
const INVOKE = 11;

const socket = new net.Socket({ fd: 3, readable: true, writable: true });
const exit = process.exit.bind(process);
const pid = process.pid;

// Without these a handler could signal the runner or a neighbour: the permission model does not cover them.
const kill = process._kill;
process.kill = (target, signal = 'SIGTERM') => {
  if (target !== pid) throw Object.assign(new Error('kill EPERM'), { code: 'EPERM', errno: -1, syscall: 'kill' });
  const number = typeof signal === 'number' ? signal : os.constants.signals[signal];
  if (number === undefined) throw Object.assign(new TypeError(`Unknown signal: ${signal}`), { code: 'ERR_UNKNOWN_SIGNAL' });
  kill(pid, number);
  return true;
};
for (const name of ['_kill', '_debugProcess', '_debugEnd', '_startProfilerIdleNotifier']) delete process[name];
const setPriority = os.setPriority;
os.setPriority = (...values) => {
  if (values.length > 1 && values[0] !== 0 && values[0] !== pid)
    throw Object.assign(new Error('setPriority EPERM'), { code: 'EPERM' });
  return setPriority(0, values.at(-1));
};
syncBuiltinESMExports();

// Output is written at once and in order: what was printed before an answer has left before it, and a flood waits for its
// reader instead of filling the memory. (The streams Node.js would make queue what the reader has not taken.)
const moment = new Int32Array(new SharedArrayBuffer(4));
function writeAll(fd, bytes) {
  for (let offset = 0; offset < bytes.length;) {
    try {
      offset += fs.writeSync(fd, bytes, offset);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(moment, 0, 0, 1);
    }
  }
}
for (const [name, fd] of [
  ['stdout', 1],
  ['stderr', 2],
]) {
  const stream = new Writable({
    decodeStrings: true,
    write(chunk, _encoding, done) {
      writeAll(fd, chunk);
      done();
    },
  });
  Object.defineProperty(process, name, { value: Object.assign(stream, { fd }), configurable: true, enumerable: true });
}

// The command line silences experimental warnings, because one is about the runner's own flags. The function's are shown.
process.on('warning', ({ name, message }) => {
  if (name !== 'ExperimentalWarning' || message.startsWith('The flag --allow-net ')) return;
  process.stderr.write(`(node:${pid}) ${name}: ${message}\n`);
});

/** The invocation in progress. */
let current = null;
let handler = null;

function send(kind, meta, body, done) {
  const metaBytes = Buffer.from(JSON.stringify(meta));
  const head = Buffer.alloc(9);
  head.writeUInt32BE(metaBytes.length, 0);
  head.writeUInt32BE(body.length, 4);
  head.writeUInt8(kind, 8);
  socket.cork();
  socket.write(head);
  socket.write(metaBytes);
  const more = socket.write(body, done);
  socket.uncork();
  return more;
}

// --- errors ---------------------------------------------------------------------------------------------------------

class NamedError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

function describe(error) {
  try {
    if (types.isNativeError(error) || (error && error.name && error.message && error.stack)) {
      return {
        errorType: String(error.name).replaceAll('\x7F', '%7F'),
        errorMessage: String(error.message).replaceAll('\x7F', '%7F'),
        trace: String(error.stack).replaceAll('\x7F', '%7F').split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

function describedForLog(error) {
  const { errorType, errorMessage, trace } = describe(error);
  return JSON.stringify({ errorType, errorMessage, stack: trace });
}

function log(level, message) {
  process.stdout.write(`${new Date().toISOString()}\t${current?.id ?? 'undefined'}\t${level}\t${message}\n`);
}

for (const [method, level] of [
  ['log', 'INFO'],
  ['debug', 'DEBUG'],
  ['info', 'INFO'],
  ['warn', 'WARN'],
  ['error', 'ERROR'],
  ['trace', 'TRACE'],
]) {
  console[method] = (...values) => log(level, format(...values));
}

/** The process is no longer trustworthy: say why, then end. */
function fatal(error, code) {
  const body = Buffer.from(JSON.stringify(describe(error)));
  const kind = handler === null ? INIT_ERROR : FATAL;
  if (current === null && handler !== null) exit(code); // between invocations: the next one starts in a new environment
  send(kind, { id: current?.id ?? '' }, body, () => exit(code));
}
process.on('uncaughtException', (error) => {
  log('ERROR', `Uncaught Exception \t${describedForLog(error)}`);
  fatal(error, 129);
});
process.on('unhandledRejection', (reason) => {
  const error = new NamedError('Runtime.UnhandledPromiseRejection', String(reason));
  error.stack = `Runtime.UnhandledPromiseRejection: ${error.message}`;
  log('ERROR', `Unhandled Promise Rejection \t${describedForLog(error)}`);
  fatal(error, 128);
});

// --- finding the handler --------------------------------------------------------------------------------------------

function findFile(base) {
  for (const suffix of ['', '.js', '.mjs', '.cjs']) {
    const stats = fs.statSync(base + suffix, { throwIfNoEntry: false });
    if (stats?.isFile()) return base + suffix;
  }
  return null;
}

async function loadHandler(taskRoot, name) {
  if (name.includes('..')) {
    throw new NamedError(
      'Runtime.MalformedHandlerName',
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(name);
  const dot = base.indexOf('.');
  if (dot < 0) throw new NamedError('Runtime.MalformedHandlerName', 'Bad handler');
  const moduleName = base.slice(0, dot);
  const exportPath = base.slice(dot + 1);
  const file = findFile(path.resolve(taskRoot, path.dirname(name), moduleName));
  if (file === null) {
    throw new NamedError(
      'Runtime.ImportModuleError',
      `Error: Cannot find module '${moduleName}'\nRequire stack:\n- /var/runtime/index.mjs`,
    );
  }
  const namespace = await importUserCode(file);
  // A CommonJS module as it is, not as the lexer guesses its names.
  let found = 'module.exports' in namespace ? namespace['module.exports'] : namespace;
  for (const part of exportPath.split('.')) found = found?.[part];
  if (found === undefined || found === null)
    throw new NamedError('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof found !== 'function') throw new NamedError('Runtime.HandlerNotFound', `${name} is not a function`);
  return found;
}

async function importUserCode(file) {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    if (error instanceof SyntaxError) throw new NamedError('Runtime.UserCodeSyntaxError', `SyntaxError: ${error.message}`);
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      throw new NamedError('Runtime.ImportModuleError', `Error: ${error.message}`);
    }
    throw error;
  }
}

async function initialize({ handler: name, taskRoot, environment }) {
  Object.assign(process.env, environment);
  try {
    const found = await loadHandler(taskRoot, name);
    handler = found;
    send(READY, {}, Buffer.alloc(0));
  } catch (error) {
    log('ERROR', `Uncaught Exception \t${describedForLog(error)}`);
    fatal(error, 1);
  }
}

// --- streaming ------------------------------------------------------------------------------------------------------

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HTTP_INTEGRATION = 'application/vnd.awslambda.http-integration-response';

/** A frame is held whole at the other end. */
const CHUNK_BYTES_MAX = 64 * 1024;

class ResponseStream extends Writable {
  #id;
  #contentType = null;
  constructor(id) {
    super({ highWaterMark: 64 * 1024 });
    this.#id = id;
  }
  get contentType() {
    return this.#contentType;
  }
  setContentType(type) {
    this.#contentType = type;
  }
  _write(chunk, _encoding, done) {
    let offset = 0;
    const next = () => {
      while (offset < chunk.length) {
        const part = chunk.subarray(offset, (offset += CHUNK_BYTES_MAX));
        if (!send(CHUNK, { id: this.#id }, part)) return void socket.once('drain', next);
      }
      done();
    };
    next();
  }
}

globalThis.awslambda = {
  streamifyResponse: (streaming, options) => {
    streaming[STREAMING] = options?.highWaterMark ?? 'response';
    return streaming;
  },
  HttpResponseStream: {
    /** Metadata as JSON and eight zero bytes, before the body. */
    from: (stream, prelude) => {
      stream.setContentType(HTTP_INTEGRATION);
      stream.write(Buffer.concat([Buffer.from(JSON.stringify(prelude)), Buffer.alloc(8)]));
      return stream;
    },
  },
};

// --- invocations ----------------------------------------------------------------------------------------------------

function serialize(result) {
  try {
    return Buffer.from(JSON.stringify(result === undefined ? null : result) ?? 'null');
  } catch {
    throw new Error('Unable to stringify response body');
  }
}

class Invocation {
  #isSettled = false;
  #pendingCallback = null;
  #isPromise = false;

  constructor(meta, event) {
    this.meta = meta;
    this.id = meta.id;
    this.event = event;
    this.context = this.#makeContext();
  }

  succeed(result) {
    this.#settle(() => send(REPLY, { id: this.id }, serialize(result)));
  }

  fail(error) {
    this.#settle(() => {
      log('ERROR', `Invoke Error \t${describedForLog(error)}`);
      send(FAILURE, { id: this.id }, Buffer.from(JSON.stringify(describe(error))));
    });
  }

  #settle(answer) {
    if (this.#isSettled) return;
    this.#isSettled = true;
    try {
      answer();
    } catch (error) {
      send(FAILURE, { id: this.id }, Buffer.from(JSON.stringify(describe(error))));
    }
    current = null;
    socket.ref(); // wait for the next frame
  }

  /** The old way to answer: by default the answer waits until nothing is left to do. */
  #callback(error, result) {
    if (this.#isSettled || this.#pendingCallback !== null) return;
    const answer = () => (error === null || error === undefined ? this.succeed(result) : this.fail(error));
    if (this.context.callbackWaitsForEmptyEventLoop) this.#pendingCallback = answer;
    else answer();
  }

  /** The event loop is empty: nobody is left who could settle the invocation. */
  onIdle() {
    if (this.#pendingCallback !== null) return this.#pendingCallback();
    if (!this.#isPromise) return this.succeed(null);
    this.fail(
      new NamedError(
        'Runtime.NodeJsExit',
        'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. ' +
          'For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes',
      ),
    );
  }

  async run() {
    try {
      if (handler[STREAMING] !== undefined) return await this.#runStreaming();
      const result = handler(this.event, this.context, (error, value) => this.#callback(error, value));
      if (typeof result?.then !== 'function') return; // answered through the callback, or by an empty event loop
      this.#isPromise = true;
      this.succeed(await result);
    } catch (error) {
      this.fail(error);
    }
  }

  async #runStreaming() {
    this.#isPromise = true;
    const stream = new ResponseStream(this.id);
    const finished = new Promise((resolve, reject) => stream.once('finish', resolve).once('error', reject));
    finished.catch(() => {}); // reported below, unless the handler throws first
    await handler(this.event, stream, this.context);
    await finished;
    this.#settle(() =>
      send(REPLY, { id: this.id, contentType: stream.contentType ?? 'application/octet-stream' }, Buffer.alloc(0)),
    );
  }

  #makeContext() {
    const { deadlineMs, arn, clientContext, identity } = this.meta;
    const { env } = process;
    return {
      callbackWaitsForEmptyEventLoop: true,
      functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext,
      identity,
      invokedFunctionArn: arn,
      awsRequestId: this.id,
      getRemainingTimeInMillis: () => deadlineMs - Date.now(),
      done: (error, result) => this.#callback(error, result),
      succeed: (result) => this.succeed(result),
      fail: (error) => this.fail(error ?? null),
    };
  }
}

function invoke(meta, body) {
  let event;
  try {
    event = JSON.parse(body.toString());
  } catch (error) {
    send(FAILURE, { id: meta.id }, Buffer.from(JSON.stringify(describe(error))));
    return;
  }
  if (meta.traceId) process.env._X_AMZN_TRACE_ID = meta.traceId;
  else delete process.env._X_AMZN_TRACE_ID;
  current = new Invocation(meta, event);
  socket.unref(); // so that an empty event loop shows
  void current.run();
}
process.on('beforeExit', () => current?.onIdle());

// --- frames in ------------------------------------------------------------------------------------------------------

let chunks = [];
let chunksBytes = 0;
let neededBytes = 9;
socket.on('data', (chunk) => {
  chunks.push(chunk);
  chunksBytes += chunk.length;
  while (chunksBytes >= neededBytes) {
    const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    const metaBytes = bytes.readUInt32BE(0);
    const end = 9 + metaBytes + bytes.readUInt32BE(4);
    if (bytes.length < end) {
      chunks = [bytes];
      neededBytes = end;
      return;
    }
    const rest = bytes.subarray(end);
    chunks = [rest];
    chunksBytes = rest.length;
    neededBytes = 9;
    const meta = JSON.parse(bytes.toString('utf8', 9, 9 + metaBytes));
    if (bytes[8] === INIT) void initialize(meta);
    else if (bytes[8] === INVOKE) invoke(meta, bytes.subarray(9 + metaBytes, end));
  }
});
socket.on('close', () => exit(0)); // the runner is gone
socket.on('error', () => exit(0));
