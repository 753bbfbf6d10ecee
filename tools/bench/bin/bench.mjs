#!/usr/bin/env node
// `npm run bench -- proxy`, `scale`, `rollout`, `scrape`, `management` and `steps`
import path from 'node:path';
import { help, readOptions } from '../src/options.mjs';
import { benchManagement } from '../src/bench-management.mjs';
import { benchProxies } from '../src/bench-proxies.mjs';
import { benchRollout } from '../src/bench-rollout.mjs';
import { benchScrape } from '../src/bench-scrape.mjs';
import { benchSteps } from '../src/bench-steps.mjs';
import { benchScale } from '../src/bench-scale.mjs';

const root = path.resolve(import.meta.dirname, '../../..');

try {
  const args = process.argv.slice(2);
  if (args[0] === 'scale') benchScale(root, args.slice(1));
  else if (args[0] === 'scrape') await benchScrape(root);
  else if (args[0] === 'steps') await benchSteps(root, args.slice(1));
  else if (args[0] === 'management') await benchManagement(root, args.slice(1));
  else if (args[0] === 'rollout') await benchRollout(root, args.slice(1));
  else {
    const options = readOptions(args);
    if (options.help) process.stdout.write(help());
    else await benchProxies(root, options);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
