#!/usr/bin/env node
// `npm run bench -- proxy`
import path from 'node:path';
import { help, readOptions } from '../src/options.mjs';
import { benchProxies } from '../src/bench-proxies.mjs';

const root = path.resolve(import.meta.dirname, '../../..');

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(help());
  else await benchProxies(root, options);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
