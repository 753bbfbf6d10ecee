#!/usr/bin/env node
// `npm run admin -- <command>`
import { existsSync } from 'node:fs';
import path from 'node:path';

const main = path.resolve(import.meta.dirname, '../dist/index.js');
if (existsSync(main)) {
  const { run } = await import(main);
  process.exitCode = await run(process.argv.slice(2), process.env, process);
} else {
  console.error('gatehouse-admin is not built yet: run "npm run build", or start Gatehouse once with "npm start".');
  process.exitCode = 2;
}
