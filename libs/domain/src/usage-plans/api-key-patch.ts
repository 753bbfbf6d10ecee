import { invalidPatchPath } from '../invalid-patch-path.js';
import type { ApiKey } from './usage-plan.js';

const PATHS = {
  replace: ['/name', '/description', '/enabled', '/customerId'],
  add: ['/stages'],
  remove: ['/stages'],
};

/** UpdateApiKey: the key after all operations. */
export function patchApiKey(
  key: ApiKey,
  operations: readonly { readonly op?: string; readonly path?: string; readonly value?: string }[],
): ApiKey {
  return operations.reduce<ApiKey>((present, { op, path, value = '' }) => {
    switch (`${op} ${path}`) {
      case 'replace /name':
        return { ...present, name: value };
      case 'replace /description':
        return { ...present, description: value };
      case 'replace /enabled':
        return { ...present, enabled: value === 'true' };
      case 'replace /customerId':
        return { ...present, customerId: value };
      case 'add /stages':
        return present.stageKeys.includes(value) ? present : { ...present, stageKeys: [...present.stageKeys, value] };
      case 'remove /stages':
        return { ...present, stageKeys: present.stageKeys.filter((stageKey) => stageKey !== value) };
      default:
        throw invalidPatchPath(op, path, PATHS);
    }
  }, key);
}
