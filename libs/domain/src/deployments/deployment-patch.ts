import type { PatchRules } from '../patch/patch.js';
import { property, textOrNull } from '../patch/rules.js';
import type { Deployment } from './deployment.js';

/** UpdateDeployment: only what is said about a deployment can change. */
export const deploymentPatchRules: PatchRules<Deployment> = {
  style: 'listsPaths',
  rules: [property('/description', 'description', textOrNull)],
};
