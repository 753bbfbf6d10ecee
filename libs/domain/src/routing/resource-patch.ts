import type { PatchRules } from '../patch/patch.js';
import { property } from '../patch/rules.js';
import type { Place } from './resource-tree.js';

/** UpdateResource; `ResourceTree.move` judges the place that comes out. */
export const resourcePatchRules: PatchRules<Place> = {
  style: 'listsPaths',
  rules: [property('/parentId', 'parentId', (value) => value), property('/pathPart', 'pathPart', (value) => value)],
};
