import { appendFileSync } from 'node:fs';
import path from 'node:path';

/** A directory to note calls in; unset: they are not noted. */
export const RECORD_CALLS = 'GATEHOUSE_RECORD_CALLS';

/** What a client of the AWS SDK has of its middleware, as far as it is needed here. */
interface Client {
  readonly middlewareStack: {
    add(middleware: (next: Handler, context: { commandName?: string }) => Handler, options: { step: 'initialize' }): void;
  };
}
type Handler = (args: { input: object }) => Promise<unknown>;

/**
 * Notes each operation a client calls and how it ended, a line each: `GetRestApis ok`, `GetRestApis ok page` (a page was asked for),
 * `GetRestApi NotFoundException`. Every process has a file of its own; a line that is there is not written again.
 */
export function recordCalls<T extends Client>(client: T): T {
  const directory = process.env[RECORD_CALLS];
  if (directory === undefined) return client;
  client.middlewareStack.add(
    (next, { commandName = '' }) => {
      const note = (outcome: string): void => append(directory, `${commandName.replace(/Command$/, '')} ${outcome}`);
      return async (args) => {
        try {
          const answer = await next(args);
          note('position' in args.input || 'limit' in args.input ? 'ok page' : 'ok');
          return answer;
        } catch (error) {
          note((error as Error).name);
          throw error;
        }
      };
    },
    { step: 'initialize' },
  );
  return client;
}

const noted = new Set<string>();

function append(directory: string, line: string): void {
  if (noted.has(line)) return;
  noted.add(line);
  appendFileSync(path.join(directory, `${process.pid}.txt`), `${line}\n`);
}
