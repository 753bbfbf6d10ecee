import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ApiError, invalidDocument, openApiText } from '@gatehouse/domain';

/** A document of 6 MB takes some 5 s on a busy core. */
const YAML_DEADLINE_MS = 15_000;
const YAML_HEAP_MB = 512;
/** Imports of YAML that are parsed at once; others wait for their turn. */
const YAML_PARSERS_MAX = 2;
/** Beyond these an import is refused, and clients try again. */
const YAML_WAITING_MAX = 64;

/** What stands in the place of `${AWS::AccountId}` and its like. */
export interface AwsVariables {
  readonly accountId: string;
  readonly region: string;
}

/** The document as plain values. Throws BadRequest for what is neither JSON nor YAML, or takes more to parse than any real document. */
export async function parseOpenApi(body: Uint8Array, variables: AwsVariables): Promise<unknown> {
  const text = withVariables(openApiText(body).replace(/^\uFEFF/, ''), variables);
  if (!/^\s*\{/.test(text)) return parseYaml(text);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return parseYaml(text); // which has objects in braces, too
  }
}

function withVariables(text: string, { accountId, region }: AwsVariables): string {
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
  return text
    .replaceAll('${AWS::AccountId}', accountId)
    .replaceAll('${AWS::Region}', region)
    .replaceAll('${AWS::Partition}', partition);
}

let parsing = 0;
const waiting: (() => void)[] = [];

async function parseYaml(text: string): Promise<unknown> {
  if (waiting.length >= YAML_WAITING_MAX) throw new ApiError('TooManyRequestsException', 429, 'Too Many Requests');
  while (parsing >= YAML_PARSERS_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
  parsing++;
  try {
    return await parseApart(text);
  } finally {
    parsing--;
    waiting.shift()?.();
  }
}

function parseApart(text: string): Promise<unknown> {
  const worker = new Worker(new URL(`./yaml.worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: text,
    resourceLimits: { maxOldGenerationSizeMb: YAML_HEAP_MB },
    execArgv: [],
  });
  return new Promise<unknown>((resolve, reject) => {
    const deadline = setTimeout(() => reject(invalidDocument()), YAML_DEADLINE_MS);
    worker.once('message', (message: { value: unknown } | null) => {
      if (message === null) reject(invalidDocument());
      else resolve(message.value);
    });
    // Out of memory, or deeper than the thread's stack.
    worker.once('error', () => reject(invalidDocument()));
    worker.once('exit', () => {
      clearTimeout(deadline);
      reject(invalidDocument());
    });
  }).finally(() => void worker.terminate());
}
