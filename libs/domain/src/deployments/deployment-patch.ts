import { invalidPatchPath } from '../invalid-patch-path.js';
import type { Deployment } from './deployment.js';

/** UpdateDeployment: only what is said about a deployment can change. */
export function patchDeployment(
  deployment: Deployment,
  operations: readonly { readonly op?: string; readonly path?: string; readonly value?: string }[],
): Deployment {
  return operations.reduce<Deployment>((present, { op, path, value }) => {
    if (op !== 'replace' || path !== '/description') throw invalidPatchPath(op, path, { replace: ['/description'] });
    return { ...present, description: value ?? null };
  }, deployment);
}
