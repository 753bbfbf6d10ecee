import { badRequest, notFound } from '../errors.js';
import type { PatchRules } from '../patch/patch.js';
import { property } from '../patch/rules.js';
import type { BasePathMapping } from './domain-name.js';

/** Stands for the empty base path, in paths and in answers. */
const NONE = '(none)';
const CHARS_MAX = 300;

/** Throws BadRequest unless v1 lets a mapping have it. */
export function checkBasePath(text: string): string {
  const basePath = readBasePath(text);
  if (basePath.includes('/')) {
    throw badRequest(
      "API Gateway V1 doesn't support the slash character (/) in base path mappings. " +
        'To create a multi-level base path mapping, use API Gateway V2.',
    );
  }
  if (basePath.length > CHARS_MAX) throw badRequest(`A base path can have at most ${CHARS_MAX} characters`);
  // Data-plane reference 2.4. A node refuses dot segments, so these could never be asked for.
  if (!/^[A-Za-z0-9$\-_.+!*'()]*$/.test(basePath) || basePath === '.' || basePath === '..')
    throw badRequest("Base path can only contain letters, numbers and one of $-_.+!*'()");
  return basePath;
}

export const readBasePath = (text: string): string => (text === NONE ? '' : text);
export const showBasePath = (basePath: string): string => (basePath === '' ? NONE : basePath);

/** `(none)` is what the console sends for no stage. */
export const readStage = (value: string): string | null => (value === '' || value === NONE ? null : value);

/** UpdateBasePathMapping. `restapiId` is AWS's spelling. */
export const basePathMappingPatchRules: PatchRules<BasePathMapping> = {
  style: 'listsPaths',
  rules: [
    property('/basePath', 'basePath', checkBasePath),
    property('/restapiId', 'restApiId', (value) => value),
    property('/stage', 'stage', readStage),
  ],
};

export const unknownMapping = (): Error => notFound('Invalid base path mapping identifier specified');
