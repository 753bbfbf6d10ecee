/** From a function's runtime identifier to the program that runs it and what that program may see. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { PublishedFunction } from './catalog.js';

/** Our own bootstraps; beside `src` and `dist`, so that both find it. */
export const BOOTSTRAPS = fileURLToPath(new URL('../runtime', import.meta.url));

export interface Folders {
  readonly taskRoot: string;
  /** The environment's own `/tmp`. */
  readonly scratch: string;
}

export interface Program {
  readonly argv: readonly string[];
  /** What the operating system hands to the program. */
  readonly environment: Readonly<Record<string, string>>;
  /** Speaks frames on descriptor 3; else the Runtime API over HTTP. */
  readonly speaksFrames: boolean;
}

/** The function cannot be started here; shown as the call's error. */
export class NoRuntime extends Error {
  constructor(
    readonly errorType: string,
    message: string,
  ) {
    super(message);
    this.name = 'NoRuntime';
  }
}

export interface ProgramSettings {
  readonly logStream: string;
  /** Something beside the program's own interpreter keeps it from the machine's files (confinement.ts). */
  readonly isConfined: boolean;
}

export async function programOf(
  fn: PublishedFunction,
  folders: Folders,
  { logStream, isConfined }: ProgramSettings,
): Promise<Program> {
  const { runtime } = fn.entry;
  const environment = lambdaEnvironment(fn, folders, logStream);
  if (runtime.startsWith('nodejs')) return nodeProgram(fn, folders, environment, isConfined);
  const all = { ...fn.entry.environment, ...environment };
  if (runtime.startsWith('python')) return { argv: await pythonCommand(), environment: all, speaksFrames: false };
  if (runtime.startsWith('provided'))
    return { argv: [await bootstrapOf(folders.taskRoot)], environment: all, speaksFrames: false };
  throw new NoRuntime('Runtime.Unsupported', `Runtime ${runtime} is not available on this runner.`);
}

function nodeProgram(
  fn: PublishedFunction,
  { taskRoot, scratch }: Folders,
  environment: Record<string, string>,
  isConfined: boolean,
): Program {
  return {
    argv: [
      process.execPath,
      '--permission',
      '--allow-net',
      `--allow-fs-read=${path.join(BOOTSTRAPS, '*')}`,
      `--allow-fs-read=${path.join(taskRoot, '*')}`,
      `--allow-fs-read=${path.join(scratch, '*')}`,
      `--allow-fs-write=${path.join(scratch, '*')}`,
      // It opens any file, whatever the permissions say.
      ...(isConfined ? [] : ['--no-experimental-sqlite']),
      '--disable-warning=SecurityWarning',
      // For what Node.js says of --allow-net, before any code runs; nodejs.mjs shows the others.
      '--disable-warning=ExperimentalWarning',
      `--max-old-space-size=${Math.max(32, Math.floor(fn.entry.memoryMb * 0.9))}`,
      path.join(BOOTSTRAPS, 'nodejs.mjs'),
    ],
    // The tenant's variables follow through the channel, once Node.js runs: NODE_OPTIONS or LD_PRELOAD would undo the permissions.
    environment,
    speaksFrames: true,
  };
}

async function pythonCommand(): Promise<string[]> {
  const python = await findPython();
  if (python === null) throw new NoRuntime('Runtime.Unsupported', 'There is no python3 on this runner.');
  return [python.executable, path.join(BOOTSTRAPS, 'python.py')];
}

/** Where the interpreters of functions are, wherever that is; custom runtimes may be written for this very Node.js. */
export async function interpreterFolders(): Promise<string[]> {
  const python = await findPython();
  return [path.dirname(process.execPath), ...(python === null ? [] : [...new Set(python.prefixes)])];
}

interface Python {
  readonly executable: string;
  readonly prefixes: readonly string[];
}

let python: Promise<Python | null> | null = null;

function findPython(): Promise<Python | null> {
  python ??= askPython().then((found) => {
    if (found === null) python = null; // it may be installed later
    return found;
  });
  return python;
}

/** The interpreter itself: what PATH holds may be a version manager's script that needs its user's environment. */
async function askPython(): Promise<Python | null> {
  const question =
    'import json, sys; print(json.dumps({"executable": sys.executable, "prefixes": [sys.prefix, sys.base_prefix]}))';
  try {
    const { stdout } = await promisify(execFile)('python3', ['-c', question], { timeout: 10_000 });
    return JSON.parse(stdout) as Python;
  } catch {
    return null;
  }
}

async function bootstrapOf(taskRoot: string): Promise<string> {
  const bootstrap = path.join(taskRoot, 'bootstrap');
  if (await isExecutable(bootstrap)) return bootstrap;
  throw new NoRuntime('Runtime.InvalidEntrypoint', "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Lambda guide, "Using Lambda environment variables", defined runtime environment variables. Nothing is inherited from the
 * runner, whose environment holds the node token.
 */
function lambdaEnvironment(
  { entry }: PublishedFunction,
  { taskRoot, scratch }: Folders,
  logStream: string,
): Record<string, string> {
  return {
    _HANDLER: entry.handler,
    AWS_DEFAULT_REGION: entry.region,
    AWS_EXECUTION_ENV: `AWS_Lambda_${entry.runtime}`,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(entry.memoryMb),
    AWS_LAMBDA_FUNCTION_NAME: entry.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: entry.version,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${entry.functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: logStream,
    AWS_REGION: entry.region,
    HOME: scratch,
    LAMBDA_RUNTIME_DIR: BOOTSTRAPS,
    LAMBDA_TASK_ROOT: taskRoot,
    LANG: 'C.UTF-8',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    TMPDIR: scratch,
    TZ: entry.environment['TZ'] ?? ':UTC',
  };
}
