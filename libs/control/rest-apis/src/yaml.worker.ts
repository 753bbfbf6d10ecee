/**
 * Parses YAML beside the main thread. The parser takes quadratic time for some texts, and as much memory as a text asks for; a thread can be
 * given little of both, and ended. See parse-document.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { parseDocument } from 'yaml';

const document = parseDocument(String(workerData), { uniqueKeys: false, prettyErrors: false, logLevel: 'silent', merge: true });
// Aliases are counted where they are walked (`checkBounds`): here they are one value in several places.
parentPort!.postMessage(document.errors.length > 0 ? null : { value: document.toJS({ maxAliasCount: -1 }) as unknown });
