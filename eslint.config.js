// The fence between the rooms (docs/ARCHITECTURE.md). One constraint per room and plane, none for "*":
// a project without tags may depend on nothing.
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

const rooms = {
  'control-plane': ['contracts', 'aws-api', 'domain', 'control', 'store', 'compiler', 'foundation'],
  'data-plane': ['contracts', 'engine', 'shared-responses', 'foundation'],
  'function-runner': ['contracts', 'engine', 'foundation'], // engine/control-link only, see ADR 0003
  clients: ['contracts', 'foundation'],
  contracts: [],
  'aws-api': ['foundation'],
  domain: ['foundation'],
  control: ['contracts', 'aws-api', 'domain', 'control', 'compiler', 'foundation'],
  store: ['domain', 'foundation'],
  compiler: ['contracts', 'domain', 'foundation'],
  engine: ['contracts', 'engine', 'foundation'],
  'shared-responses': ['contracts', 'engine', 'foundation'], // the one place of a node that talks Redis, see ADR 0012
  foundation: ['foundation'],
};
const planes = {
  data: ['data', 'both'],
  control: ['control', 'both'],
  client: ['both'],
  both: ['both'],
};
const NO_SERVER = ['@nestjs/*', '@prisma/*', 'bullmq', 'ioredis', 'pg'];
const banned = {
  'data-plane': NO_SERVER,
  'function-runner': NO_SERVER,
  engine: NO_SERVER,
  'shared-responses': NO_SERVER.filter((name) => name !== 'ioredis'),
  domain: NO_SERVER,
  compiler: NO_SERVER,
  foundation: NO_SERVER,
  contracts: NO_SERVER,
  control: ['@prisma/*', 'pg', 'ioredis'],
  'aws-api': ['@prisma/*', 'pg', 'ioredis'],
  'control-plane': ['@prisma/*'],
  clients: ['@prisma/*'],
};

function constraints(extraRooms, extraPlanes) {
  return [
    ...Object.entries(rooms).map(([room, allowed]) => ({
      sourceTag: `room:${room}`,
      onlyDependOnLibsWithTags: [...allowed, ...extraRooms].map((name) => `room:${name}`),
      bannedExternalImports: [...(banned[room] ?? []), '@aws-sdk/*'].filter(
        (name) => extraRooms.length === 0 || name !== '@aws-sdk/*',
      ),
    })),
    ...Object.entries(planes).map(([plane, allowed]) => ({
      sourceTag: `plane:${plane}`,
      onlyDependOnLibsWithTags: [...allowed, ...extraPlanes].map((name) => `plane:${name}`),
    })),
    { sourceTag: 'room:tools', onlyDependOnLibsWithTags: [...Object.keys(rooms), 'tools'].map((name) => `room:${name}`) },
    { sourceTag: 'plane:tool', onlyDependOnLibsWithTags: ['plane:tool', ...Object.keys(planes).map((name) => `plane:${name}`)] },
  ];
}

const boundaries = (extraRooms, extraPlanes) => [
  'error',
  { enforceBuildableLibDependency: false, allow: [], depConstraints: constraints(extraRooms, extraPlanes) },
];

export default [
  { ignores: ['**/dist', '**/src/gen', '**/node_modules', '**/vitest.config.ts', 'vitest.base.ts', '.nx', '.gatehouse'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' }, plugins: { '@nx': nx } },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.mjs'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@nx/enforce-module-boundaries': boundaries([], []),
    },
  },
  {
    // Only specs may reach the test kit.
    files: ['**/*.spec.ts', '**/*.bench.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(['tools'], ['tool']) },
  },
];
