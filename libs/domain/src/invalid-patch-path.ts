import { badRequest, type ApiError } from './errors.js';

/**
 * The newer of AWS's two texts for a path a resource does not have (reference 4.4); two spaces after "path" are AWS's.
 * `paths` lists what each op may address.
 */
export function invalidPatchPath(op: string | undefined, path: string | undefined, paths: Readonly<Record<string, readonly string[]>>): ApiError {
  const known = op === undefined || !Object.hasOwn(paths, op) ? undefined : paths[op];
  return badRequest(
    known === undefined
      ? `Invalid patch path  '${path}' specified for op '${op}'. Please choose supported operations`
      : `Invalid patch path  '${path}' specified for op '${op}'. Must be one of: [${known.join(', ')}]`,
  );
}
