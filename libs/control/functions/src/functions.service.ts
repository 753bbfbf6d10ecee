import { functionEntryId, publishFunction, unpublishFunction } from '@gatehouse/control-publish';
import {
  checkArchitectures,
  checkFunctionSettings,
  checkFunctionTags,
  checkReservedConcurrency,
  codeSha256,
  DuplicateKey,
  functionArn,
  isVersionNumber,
  type FunctionDefinition,
  type FunctionReference,
  type FunctionSettings,
  type FunctionVersion,
  type Page,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import { canonicalJson, Secret, type Clock, type IdSource } from '@gatehouse/kernel';
import type { Code } from './code-package.js';
import {
  checkRevision,
  findFunction,
  findVersion,
  invalidParameter,
  lockFunction,
  newRevisionId,
  resourceConflict,
} from './function-lookup.js';

/** What a caller may set; absent members keep their value or default. */
export interface SettingsRequest extends Partial<FunctionSettings> {
  readonly tracingMode?: string;
}

export interface Found {
  readonly definition: FunctionDefinition;
  readonly version: FunctionVersion;
}

const DEFAULTS = { description: '', timeoutSeconds: 3, memoryMb: 128, ephemeralStorageMb: 512, environment: {} };

export class Functions {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async create(
    tenant: TenantId,
    request: {
      readonly name: string;
      readonly region: string;
      readonly code: Code;
      readonly settings: SettingsRequest & Pick<FunctionSettings, 'role' | 'runtime' | 'handler'>;
      readonly architectures: readonly string[];
      readonly tags: Readonly<Record<string, string>>;
      readonly publish: boolean;
    },
  ): Promise<Found> {
    const { name, region, code, tags } = request;
    const settings: FunctionSettings = { ...DEFAULTS, ...defined(request.settings) };
    checkFunctionSettings(settings);
    checkFunctionTags(tags);
    checkArchitectures(request.architectures);
    const now = this.clock.nowMs();
    const latest: FunctionVersion = {
      functionName: name,
      version: '$LATEST',
      ...settings,
      environment: secrets(settings.environment),
      architectures: request.architectures,
      layers: [],
      tracingMode: request.settings.tracingMode ?? 'PassThrough',
      packageType: 'Zip',
      codeDigest: code.codeDigest,
      codeBytes: code.codeBytes,
      lastModifiedAtMs: now,
      revisionId: newRevisionId(this.ids),
    };
    return this.store.transact(tenant, async (tx) => {
      const definition: FunctionDefinition = {
        name,
        region,
        latest,
        newestVersion: 0,
        createdAtMs: now,
        tags,
        reservedConcurrency: null,
      };
      await tx.blobs.put(code.bytes);
      await tx.functions.insert(definition).catch((cause: unknown) => {
        if (cause instanceof DuplicateKey) throw resourceConflict(`Function already exist: ${name}`);
        throw cause;
      });
      if (request.publish) return this.publishLatest(tx, definition);
      await publishFunction(tx, definition);
      return { definition, version: latest };
    });
  }

  find(tenant: TenantId, region: string, reference: FunctionReference): Promise<Found> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await findFunction(tx, region, reference);
      return { definition, version: await findVersion(tx, definition, reference.qualifier) };
    });
  }

  /** What an Invoke by this name needs: the ARN it goes to, and the manifest revision that a runner must have seen. */
  target(tenant: TenantId, region: string, reference: FunctionReference): Promise<{ functionArn: string; revision: number }> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await findFunction(tx, region, reference);
      const { name } = definition;
      const { qualifier } = reference;
      const { version } = await findVersion(tx, definition, qualifier);
      // A call by an alias also depends on the versions that the alias has left.
      const isAlias = qualifier !== null && qualifier !== version;
      const versions = isAlias
        ? ['$LATEST', ...(await tx.functionVersions.ofFunction(name)).map(({ version: number }) => number)]
        : [version];
      let revision = 0;
      for (const number of versions) {
        const entry = await tx.manifest.find('FUNCTION', functionEntryId(tenant, name, number));
        revision = Math.max(revision, entry?.revision ?? 0);
      }
      return { functionArn: functionArn(definition.region, tenant, name, qualifier), revision };
    });
  }

  /** `$LATEST` of each function, with `allVersions` the published ones behind it. */
  page(tenant: TenantId, after: string | null, limit: number, allVersions: boolean): Promise<Page<Found>> {
    return this.store.transact(tenant, async (tx) => {
      const { items, next } = await tx.functions.page({ after, limit });
      const found: Found[] = [];
      for (const definition of items) {
        found.push({ definition, version: definition.latest });
        if (!allVersions) continue;
        for (const version of await tx.functionVersions.ofFunction(definition.name)) found.push({ definition, version });
      }
      return { items: found, next };
    });
  }

  versions(tenant: TenantId, region: string, reference: FunctionReference): Promise<Found[]> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await findFunction(tx, region, reference);
      const published = await tx.functionVersions.ofFunction(definition.name);
      return [definition.latest, ...published].map((version) => ({ definition, version }));
    });
  }

  async updateCode(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    change: {
      readonly code: Code;
      readonly architectures?: readonly string[] | undefined;
      readonly revisionId?: string | undefined;
      readonly publish: boolean;
      readonly dryRun: boolean;
    },
  ): Promise<Found> {
    if (change.architectures !== undefined) checkArchitectures(change.architectures);
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      checkRevision(change.revisionId, definition.latest.revisionId);
      const { code } = change;
      const latest = this.touched({
        ...definition.latest,
        codeDigest: code.codeDigest,
        codeBytes: code.codeBytes,
        architectures: change.architectures ?? definition.latest.architectures,
      });
      if (change.dryRun) return { definition, version: latest };
      await tx.blobs.put(code.bytes);
      const changed = { ...definition, latest };
      await tx.functions.replace(changed);
      if (change.publish) return this.publishLatest(tx, changed);
      await publishFunction(tx, changed, ['$LATEST']);
      return { definition: changed, version: latest };
    });
  }

  updateSettings(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    change: SettingsRequest,
    revisionId: string | undefined,
  ): Promise<Found> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      checkRevision(revisionId, definition.latest.revisionId);
      const { tracingMode, ...settings } = defined(change);
      const before = definition.latest;
      checkFunctionSettings({ ...before, environment: {}, ...settings });
      const latest = this.touched({
        ...before,
        ...settings,
        environment: settings.environment === undefined ? before.environment : secrets(settings.environment),
        tracingMode: tracingMode ?? before.tracingMode,
      });
      const changed = { ...definition, latest };
      await tx.functions.replace(changed);
      await publishFunction(tx, changed, ['$LATEST']);
      return { definition: changed, version: latest };
    });
  }

  publish(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    request: {
      readonly codeSha256?: string | undefined;
      readonly description?: string | undefined;
      readonly revisionId?: string | undefined;
    },
  ): Promise<Found> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      checkRevision(request.revisionId, definition.latest.revisionId);
      const present = codeSha256(definition.latest);
      if (request.codeSha256 !== undefined && request.codeSha256 !== present) {
        throw invalidParameter(
          `CodeSHA256 (${request.codeSha256}) is different from current CodeSHA256 in $LATEST (${present}). Please try again with the CodeSHA256 in $LATEST.`,
        );
      }
      return this.publishLatest(tx, definition, request.description);
    });
  }

  remove(tenant: TenantId, region: string, reference: FunctionReference): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      if (reference.qualifier === null) return removeAll(tx, definition);
      return removeVersion(tx, definition, reference.qualifier);
    });
  }

  reserveConcurrency(tenant: TenantId, region: string, reference: FunctionReference, count: number | null): Promise<void> {
    if (count !== null) checkReservedConcurrency(count);
    return this.change(tenant, region, reference, (definition) => ({ ...definition, reservedConcurrency: count }));
  }

  changeTags(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    change: (tags: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
  ): Promise<void> {
    return this.change(tenant, region, reference, (definition) => {
      const tags = change(definition.tags);
      checkFunctionTags(tags);
      return { ...definition, tags };
    });
  }

  private change(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    change: (definition: FunctionDefinition) => FunctionDefinition,
  ): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const changed = change(await lockFunction(tx, region, reference));
      await tx.functions.replace(changed);
      await publishFunction(tx, changed);
    });
  }

  /** A new number for `$LATEST`, unless nothing changed since the newest one: then that one. */
  private async publishLatest(tx: TenantRepositories, definition: FunctionDefinition, description?: string): Promise<Found> {
    const { name, latest, newestVersion } = definition;
    const newest =
      newestVersion === 0 ? null : await tx.functionVersions.find({ functionName: name, version: String(newestVersion) });
    if (newest !== null && isSamePublication(newest, latest)) return { definition, version: newest };
    const version = this.touched({
      ...latest,
      version: String(newestVersion + 1),
      description: description ?? latest.description,
    });
    const changed = { ...definition, newestVersion: newestVersion + 1 };
    await tx.functions.replace(changed);
    await tx.functionVersions.insert(version);
    await publishFunction(tx, changed, ['$LATEST', version.version]);
    return { definition: changed, version };
  }

  private touched(version: FunctionVersion): FunctionVersion {
    return { ...version, lastModifiedAtMs: this.clock.nowMs(), revisionId: newRevisionId(this.ids) };
  }
}

async function removeAll(tx: TenantRepositories, { name }: FunctionDefinition): Promise<void> {
  const versions = await tx.functionVersions.ofFunction(name);
  await tx.functions.remove(name);
  await unpublishFunction(tx, name, ['$LATEST', ...versions.map(({ version }) => version)]);
}

async function removeVersion(tx: TenantRepositories, definition: FunctionDefinition, version: string): Promise<void> {
  const { name: functionName } = definition;
  if (version === '$LATEST') throw invalidParameter('$LATEST version cannot be deleted without deleting the function.');
  if (!isVersionNumber(version)) throw invalidParameter('Deletion of aliases is not currently supported.');
  const aliases = await tx.functionAliases.ofFunction(functionName);
  const using = aliases.filter((alias) => alias.functionVersion === version || alias.routing[version] !== undefined);
  if (using.length > 0) {
    throw resourceConflict(
      `Unable to delete version because the following aliases reference it: [${using.map(({ name }) => name).join(', ')}]`,
    );
  }
  for (const { qualifier, statementId } of await tx.functionStatements.ofFunction(functionName)) {
    if (qualifier === version) await tx.functionStatements.remove({ functionName, qualifier, statementId });
  }
  // Lambda answers 204 for a version that does not exist, too.
  if (await tx.functionVersions.remove({ functionName, version })) await unpublishFunction(tx, functionName, [version]);
}

/** The description, the number and the times do not make a new version. Lambda guide, "Function versions". */
function isSamePublication(published: FunctionVersion, latest: FunctionVersion): boolean {
  const essence = ({
    description: _d,
    version: _v,
    lastModifiedAtMs: _l,
    revisionId: _r,
    environment,
    ...rest
  }: FunctionVersion) =>
    canonicalJson({
      ...rest,
      environment: Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value.reveal()])),
    });
  return essence(published) === essence(latest);
}

function secrets(environment: Readonly<Record<string, string>>): Record<string, Secret> {
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, new Secret(value)]));
}

/** Without the members that are `undefined`, which would cover what they are spread over. */
function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
