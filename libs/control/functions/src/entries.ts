/** FUNCTION entries of the manifest: what function runners are told, in the transaction of the change. */
import type { FunctionEntry, FunctionPermission } from '@gatehouse/contracts';
import type { FunctionAlias, FunctionDefinition, FunctionStatement, FunctionVersion, TenantRepositories } from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { codeSha256 } from './code-package.js';

export const functionEntryId = (account: string, name: string, version: string): string => `${account}:${name}:${version}`;

/** Publishes the given versions, `$LATEST` included if named; of all of them when none are named. Equal entries are free. */
export async function publishFunction(tx: TenantRepositories, definition: FunctionDefinition, only?: readonly string[]): Promise<void> {
  const { name } = definition;
  const [published, aliases, statements] = await Promise.all([
    tx.functionVersions.ofFunction(name),
    tx.functionAliases.ofFunction(name),
    tx.functionStatements.ofFunction(name),
  ]);
  for (const version of [definition.latest, ...published]) {
    if (only !== undefined && !only.includes(version.version)) continue;
    await tx.manifest.put('FUNCTION', functionEntryId(tx.tenant, name, version.version), {
      digest: version.codeDigest,
      blobBytes: version.codeBytes,
      inline: canonicalJson(functionEntry(tx.tenant, definition, version, aliases, statements)),
    });
  }
}

function functionEntry(
  tenant: string,
  definition: FunctionDefinition,
  version: FunctionVersion,
  aliases: readonly FunctionAlias[],
  statements: readonly FunctionStatement[],
): FunctionEntry {
  const number = version.version;
  const pointing = aliases.filter(({ functionVersion }) => functionVersion === number).map(({ name }) => name);
  const weighted = aliases.flatMap(({ name, routing }) => (routing[number] === undefined ? [] : [[name, routing[number]] as const]));
  const reachedAs = new Set([...pointing, ...weighted.map(([name]) => name), number === '$LATEST' ? '' : number]);
  return {
    tenant,
    region: definition.region,
    functionName: definition.name,
    version: number,
    runtime: version.runtime,
    handler: version.handler,
    timeoutMs: version.timeoutSeconds * 1_000,
    memoryMb: version.memoryMb,
    environment: Object.fromEntries(Object.entries(version.environment).map(([name, value]) => [name, value.reveal()])),
    aliases: pointing,
    weightedAliases: Object.fromEntries(weighted),
    reservedConcurrency: definition.reservedConcurrency,
    permissions: statements.filter(({ qualifier }) => reachedAs.has(qualifier)).map(permission),
    codeSha256: codeSha256(version.codeDigest),
  };
}

function permission({ functionName: _, ...statement }: FunctionStatement): FunctionPermission {
  return statement;
}
