// Fails when a project has no room or plane tag, or when its TypeScript references differ from its dependencies.
// `--fix` rewrites the references. The fence itself (who may import whom) is in eslint.config.js.
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './run.mjs';

const fix = process.argv.includes('--fix');
const problems = [];
const projects = new Map();

for (const pattern of JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).workspaces) {
  const folders = pattern.endsWith('/*')
    ? readdirSync(path.join(root, pattern.slice(0, -2))).map((name) => path.join(pattern.slice(0, -2), name))
    : [pattern];
  for (const folder of folders) {
    const manifest = path.join(root, folder, 'package.json');
    if (!statSync(path.join(root, folder)).isDirectory()) continue;
    if (!existsSync(manifest)) {
      problems.push(`${folder}: no package.json, so no tags`);
      continue;
    }
    const content = JSON.parse(readFileSync(manifest, 'utf8'));
    projects.set(content.name, { folder, content });
  }
}

for (const { folder, content } of projects.values()) {
  const tags = content.nx?.tags ?? [];
  for (const dimension of ['room', 'plane']) {
    const found = tags.filter((tag) => tag.startsWith(`${dimension}:`));
    if (found.length !== 1) problems.push(`${folder}: needs exactly one ${dimension}: tag, has ${found.length}`);
  }
  checkReferences(folder, content);
}

function checkReferences(folder, content) {
  const toProjects = (dependencies) =>
    Object.keys(dependencies ?? {})
      .filter((name) => projects.has(name))
      .map((name) => projects.get(name).folder)
      .filter((target) => existsSync(path.join(root, target, 'tsconfig.lib.json')));
  const libraries = toProjects(content.dependencies);
  const tests = [...libraries, ...toProjects(content.devDependencies)];
  for (const [file, targets] of [
    ['tsconfig.lib.json', libraries],
    ['tsconfig.spec.json', tests],
  ]) {
    const config = path.join(root, folder, file);
    if (!existsSync(config)) continue;
    const json = JSON.parse(readFileSync(config, 'utf8'));
    const expected = targets.map((target) => path.relative(folder, path.join(target, 'tsconfig.lib.json'))).sort();
    const actual = (json.references ?? []).map((reference) => reference.path).sort();
    if (JSON.stringify(expected) === JSON.stringify(actual)) continue;
    if (fix) {
      json.references = expected.map((target) => ({ path: target }));
      writeFileSync(config, `${JSON.stringify(json, null, 2)}\n`);
    } else {
      problems.push(
        `${folder}/${file}: references differ from package.json; run "node tools/workspace/check-projects.mjs --fix"`,
      );
    }
  }
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`${projects.size} projects, each with a room and a plane`);
