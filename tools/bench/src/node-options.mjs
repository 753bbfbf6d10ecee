// What a process of Gatehouse is started with, as the images start it.
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const NODE_OPTIONS = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, '../../../deploy/node-options.json'), 'utf8'),
);
