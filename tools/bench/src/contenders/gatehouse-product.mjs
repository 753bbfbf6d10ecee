// `npm start` without its build: the benchmark builds what it measures beforehand, on its own terms.
import path from 'node:path';
import { launch } from '@gatehouse/tools-launcher/src/launch.mjs';

await launch(path.resolve(import.meta.dirname, '../../../..'), process.env);
