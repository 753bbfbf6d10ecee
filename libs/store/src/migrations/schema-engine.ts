// Prisma's schema engine as WebAssembly: applies and compares schemas without the native binary that the prisma command downloads.
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

export type SchemaEngine = glue.SchemaEngine;
export type SchemaFile = glue.SchemaContainer;

/** Tables and enums that belong to others: none. */
export const NO_FILTERS: glue.SchemaFilter = { externalTables: [], externalEnums: [] };

// The part of the global that we use; TypeScript has it only in its browser library.
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, unknown>,
  ): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
};

/** The engine wants a schema even where it works with migrations alone. */
export const BARE_SCHEMA: SchemaFile = { path: 'bare.prisma', content: 'datasource db {\n  provider = "postgresql"\n}\n' };

/** Where the engine leaves the message of a panic, before it traps. */
const panics = { message: '', set_message: (message: string) => void (panics.message = message) };

let isLoaded = false;

/** Runs `work` with an engine that is connected to `databaseUrl`. */
export async function withSchemaEngine<T>(
  databaseUrl: string,
  files: readonly SchemaFile[],
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  await load();
  const pool = new CharAwarePool({ connectionString: databaseUrl, max: 2 });
  pool.on('error', () => undefined); // a lost idle connection shows at the next query
  const datamodels = files.map((file): [string, string] => [file.path, file.content]);
  try {
    const adapter = bindMigrationAwareSqlAdapterFactory(charAware(new PrismaPg(pool)));
    const engine = await glue.SchemaEngine.new({ datamodels }, () => undefined, adapter);
    return await work(engine);
  } catch (error) {
    if (panics.message === '') throw error;
    throw new Error(`Prisma's schema engine broke down: ${panics.message}`, { cause: error });
  } finally {
    await pool.end();
  }
}

async function load(): Promise<void> {
  if (isLoaded) return;
  const folder = path.dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const bytes = readFileSync(path.join(folder, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: panics });
  isLoaded = true;
}

// PostgreSQL's internal type "char" (OID 18) stands in its catalogue. @prisma/adapter-pg 7.10 does not know it and introspection fails
// (prisma/orm#27403), so such columns are fetched as bpchar and handed on as single characters.
const INTERNAL_CHAR = 18;
const BPCHAR = 1042;
const charColumns = new AsyncLocalStorage<Set<number>>();

class CharAwarePool extends pg.Pool {
  override async query(...args: unknown[]): Promise<never> {
    const query = pg.Pool.prototype.query as unknown as (this: pg.Pool, ...args: unknown[]) => Promise<pg.QueryResult>;
    const result = await query.apply(this, args);
    result.fields?.forEach((field, index) => {
      if (field.dataTypeID !== INTERNAL_CHAR) return;
      field.dataTypeID = BPCHAR;
      charColumns.getStore()?.add(index);
    });
    return result as never;
  }
}

function charAware(factory: PrismaPg): SqlMigrationAwareDriverAdapterFactory {
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    connectToShadowDb: () => factory.connectToShadowDb(),
    connect: async () => {
      const adapter = await factory.connect();
      const queryRaw = adapter.queryRaw.bind(adapter);
      adapter.queryRaw = (query) =>
        charColumns.run(new Set(), async () => {
          const result = await queryRaw(query);
          for (const index of charColumns.getStore() ?? []) result.columnTypes[index] = ColumnTypeEnum.Character;
          return result;
        });
      return adapter;
    },
  };
}
