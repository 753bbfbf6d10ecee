/**
 * The one place where the control plane tells the nodes something: manifest entries, written inside the transaction of the
 * change they announce.
 *
 *   entry        id                    content
 *   STAGE        {apiId}/{stageName}   digest of a snapshot blob
 *   USAGE_PLAN   {usagePlanId}         inline UsagePlanEntry
 *   API_KEY      {apiKeyId}            inline ApiKeyEntry, only while the key can open a door (see publishApiKey)
 *   FUNCTION     {account}:{name}:{version}  inline FunctionEntry, digest of the package
 *   DOMAIN_NAME, CERTIFICATE                  publish-domain-names.ts, publish-client-certificates.ts
 *   ACCESS_KEY                                publish-access-keys.ts
 *   SERVICE_ACCESS        {account}          publish-service-access.ts
 *
 * Publishing the same content again is free: the entry keeps its revision. Only one transaction of the whole house can hold
 * the manifest, so callers take every lock they need before, and publish last.
 */
import {
  canaryWithTraffic,
  compileStage,
  encodeSnapshot,
  type CompiledStage,
  type Diagnostic,
  type StageInput,
} from '@gatehouse/compiler';
import {
  ApiError,
  AWS_QUOTAS,
  badRequest,
  poolsField,
  withoutStage,
  type Deployment,
  type FunctionDefinition,
  type ManifestEntry,
  type Page,
  type PrivateTargets,
  type RestApi,
  type RestApiDefinition,
  type Stage,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
  type UsagePlan,
  type VpcLink,
} from '@gatehouse/domain';
import { canonicalJson, systemClock } from '@gatehouse/kernel';
import { accessKeysFor, signedStageInline } from './publish-access-keys.js';
import { clientCertificatesOf, putClientCertificate } from './publish-client-certificates.js';
import { diagnoseRoles, rolesOf, serviceAccessFor } from './publish-service-access.js';
import { poolOfApi, poolsOfFunctions, poolsOfPlan, poolsOfPlans } from './placement.js';
import { apiKeyEntry, functionEntry, usagePlanEntry } from './entries.js';

async function compile(tx: TenantRepositories, stage: Stage, present?: Deployment): Promise<CompiledStage> {
  const deployment = present ?? (await tx.deployments.find({ apiId: stage.apiId, deploymentId: stage.deploymentId }));
  if (deployment === null)
    throw new Error(`stage ${stage.apiId}/${stage.stageName} points at deployment ${stage.deploymentId}, which is gone`);
  const [account, { payloadBytes }, canary] = await Promise.all([tx.account.read(), tx.quotas.read(), canaryOf(tx, stage)]);
  const vpcLinks = await vpcLinksFor(tx, [deployment.definition, canary?.definition ?? deployment.definition]);
  return compileStage({
    tenant: tx.tenant,
    definition: deployment.definition,
    deploymentId: deployment.id,
    stage,
    account,
    region: deployment.definition.api.region,
    ...(payloadBytes !== AWS_QUOTAS.payloadBytes && { payloadBytesMax: payloadBytes }),
    ...(vpcLinks !== null && { vpcLinks }),
    ...(canary !== null && { canary }),
  });
}

/** All of the tenant's, if an integration goes through one: which one, a stage variable may say. */
export async function vpcLinksFor(
  tx: TenantRepositories,
  definitions: readonly RestApiDefinition[],
): Promise<StageInput['vpcLinks'] | null> {
  const isUsed = definitions.some(({ methods }) => methods.some(({ integration }) => integration?.connectionType === 'VPC_LINK'));
  if (!isUsed) return null;
  const links: [string, PrivateTargets | null][] = [];
  for (let after: string | null = null; ;) {
    const page: Page<VpcLink> = await tx.vpcLinks.page({ after, limit: 500 });
    for (const { id, privateTargets } of page.items) links.push([id, privateTargets ?? null]);
    if (page.next === null) return Object.fromEntries(links);
    after = page.next;
  }
}

/** The deployment of the stage's canary; `null`: it has none, or the stage's own. */
async function canaryOf(tx: TenantRepositories, stage: Stage): Promise<StageInput['canary'] | null> {
  const deploymentId = canaryWithTraffic(stage)?.deploymentId ?? stage.deploymentId;
  if (deploymentId === stage.deploymentId) return null;
  const deployment = await tx.deployments.find({ apiId: stage.apiId, deploymentId });
  if (deployment === null)
    throw new Error(`the canary of stage ${stage.apiId}/${stage.stageName} points at deployment ${deploymentId}, which is gone`);
  return { deploymentId, definition: deployment.definition };
}

/** What its owner should know of a stage as it is deployed: settings without effect, routes that refuse every request, and why. */
export async function diagnoseStage(tx: TenantRepositories, stage: Stage): Promise<readonly Diagnostic[]> {
  const { snapshot, diagnostics } = await compile(tx, stage);
  return [...diagnostics, ...(await diagnoseRoles(tx, snapshot))];
}

/** What the caller of `publishStage` has at hand, so that it is not read again. */
export interface KnownOfStage {
  /** The stage's own. */
  readonly deployment?: Deployment;
  /** The stage's, locked. */
  readonly api?: RestApi;
  /** The stage's entry; `null`: there is none. */
  readonly published?: ManifestEntry | null;
  /** That the stage showed its backends before; absent: none, or the one it shows now. */
  readonly formerClientCertificateId?: string | null;
  /** When: a publication that makes a new revision is recorded with it. */
  readonly publishedAtMs?: number;
}

/**
 * Takes what `publishStage` holds besides the stage, in its order. For callers that have more to ask of the store at that moment: what is
 * asked for at once costs one round trip.
 */
export async function holdForPublishing(tx: TenantRepositories): Promise<void> {
  await Promise.all([tx.account.read(), tx.quotas.read(), tx.placement.read()]);
}

/** Compiles the stage as given and returns the revision that carries it. BadRequest names every place that does not compile. */
export async function publishStage(tx: TenantRepositories, stage: Stage, known: KnownOfStage = {}): Promise<number> {
  const { snapshot, diagnostics } = await compile(tx, stage, known.deployment);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw badRequest(errors.map(({ path, message }) => `${path}: ${message}`).join('; '));
  const bytes = encodeSnapshot(snapshot);
  const digest = await tx.blobs.put(bytes);
  const pools = poolsField([await poolOfApi(tx, stage.apiId, known.api)]);
  const inline = signedStageInline(snapshot);
  const putAccessKeys = await accessKeysFor(tx, inline, known.publishedAtMs ?? systemClock.nowMs());
  const content = { digest, blobBytes: bytes.byteLength, inline, snapshotFormat: snapshot.format, ...pools };
  const { apiId, stageName, deploymentId } = stage;
  const { published, publishedAtMs, formerClientCertificateId = null } = known;
  const certificates = await clientCertificatesOf(tx, [stage.clientCertificateId, formerClientCertificateId], { shownBy: stage });
  const putServiceAccess = await serviceAccessFor(tx, { [stageEntryId(apiId, stageName)]: rolesOf(snapshot) });
  // Before the stage: a node that has the stage has what it shows.
  for (const shown of certificates) await putClientCertificate(tx, shown);
  await putAccessKeys?.();
  await putServiceAccess?.();
  return tx.manifest.put('STAGE', stageEntryId(apiId, stageName), content, {
    ...(published !== undefined && { present: published }),
    ...(publishedAtMs !== undefined && { rollout: { apiId, stageName, deploymentId, publishedAtMs } }),
  });
}

const APIS_AT_ONCE = 100;

/**
 * Compiles and publishes all stages of the tenant again, one API after the other: for what is said of the tenant and stands in snapshots.
 * Whoever publishes meanwhile reads what was said, too, under the API's lock. A stage that does not compile any more stays as it is served.
 */
export async function republishTenant(store: TenantStore, tenant: TenantId): Promise<void> {
  let after: string | null = null;
  do {
    const page: Page<RestApi> = await store.transact(tenant, (tx) => tx.restApis.page({ after, limit: APIS_AT_ONCE }));
    for (const { id } of page.items) await store.transact(tenant, (tx) => republishApi(tx, id));
    after = page.next;
  } while (after !== null);
}

async function republishApi(tx: TenantRepositories, apiId: string): Promise<void> {
  const api = await tx.restApis.lock(apiId);
  if (api === null) return;
  for (const stage of await tx.stages.ofApi(apiId)) {
    await publishStage(tx, stage, { api }).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
    });
  }
}

/** Takes the stage from the nodes and from the usage plans that name it. The caller removes the stage itself. */
export async function unpublishStage(tx: TenantRepositories, apiId: string, stageName: string): Promise<void> {
  await unpublishStages(tx, apiId, [stageName]);
}

/** Takes all stages of an API from the nodes and from usage plans; for DeleteRestApi, before it removes the API. */
export async function unpublishApi(tx: TenantRepositories, apiId: string): Promise<void> {
  const stages = await tx.stages.ofApi(apiId);
  await unpublishStages(
    tx,
    apiId,
    stages.map(({ stageName }) => stageName),
  );
}

async function unpublishStages(tx: TenantRepositories, apiId: string, stageNames: readonly string[]): Promise<void> {
  const plans: UsagePlan[] = [];
  // All locks come before the first entry is written: whoever holds the manifest waits for nobody.
  for (const { id } of (await tx.usagePlans.usingApi(apiId)).sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const plan = await tx.usagePlans.lock(id);
    if (plan !== null && plan.apiStages.some((planned) => planned.apiId === apiId && stageNames.includes(planned.stage)))
      plans.push(plan);
  }
  const reduced = plans.map((plan) => stageNames.reduce((rest, stage) => withoutStage(rest, { apiId, stage }), plan));
  const gone = (await tx.stages.ofApi(apiId)).filter(({ stageName }) => stageNames.includes(stageName));
  const shown = gone.map(({ clientCertificateId }) => clientCertificateId);
  const certificates = await clientCertificatesOf(tx, shown, { goneFrom: gone });
  await tx.placement.read();
  const putServiceAccess = await serviceAccessFor(
    tx,
    Object.fromEntries(stageNames.map((stageName) => [stageEntryId(apiId, stageName), []])),
  );
  for (const plan of reduced) await tx.usagePlans.replace(plan);
  for (const plan of reduced) await publishUsagePlan(tx, plan);
  for (const stageName of stageNames) await tx.manifest.remove('STAGE', stageEntryId(apiId, stageName));
  for (const certificate of certificates) await putClientCertificate(tx, certificate);
  await putServiceAccess?.();
}

export async function publishUsagePlan(tx: TenantRepositories, plan: UsagePlan): Promise<void> {
  const pools = poolsField(await poolsOfPlan(tx, plan));
  const published = (await tx.manifest.find('USAGE_PLAN', plan.id))?.content ?? null;
  const isMoving = published !== null && published.pools?.join() !== pools.pools?.join();
  // Its keys go where it goes. Their locks come before the first entry is written.
  const apiKeyIds = isMoving ? await lockKeysOf(tx, plan.id) : [];
  await tx.manifest.put('USAGE_PLAN', plan.id, {
    digest: null,
    blobBytes: 0,
    inline: canonicalJson(usagePlanEntry(tx.tenant, plan)),
    ...pools,
  });
  for (const apiKeyId of apiKeyIds) await publishApiKey(tx, apiKeyId);
}

async function lockKeysOf(tx: TenantRepositories, usagePlanId: string): Promise<string[]> {
  const apiKeyIds = (await tx.usagePlanKeys.keysOfPlan(usagePlanId)).sort();
  for (const apiKeyId of apiKeyIds) await tx.apiKeys.lock(apiKeyId);
  return apiKeyIds;
}

export async function unpublishUsagePlan(tx: TenantRepositories, usagePlanId: string): Promise<void> {
  await tx.manifest.remove('USAGE_PLAN', usagePlanId);
}

/**
 * Brings the nodes up to date with a key and its plans. Only an enabled key in at least one plan can open a door, so only
 * those are published: a node answers an unknown key and a disabled one alike (403 Forbidden), the removal reaches it
 * as fast as an update would, and the millions of keys a tenant may park cost a node nothing.
 */
export async function publishApiKey(tx: TenantRepositories, apiKeyId: string): Promise<void> {
  // Locked before its plans are read: two changes of one key must not publish each other's past.
  const key = await tx.apiKeys.lock(apiKeyId);
  const usagePlanIds = key?.enabled === true ? await tx.usagePlanKeys.plansOfKey(apiKeyId) : [];
  if (key !== null && usagePlanIds.length > 0) {
    await tx.manifest.put('API_KEY', apiKeyId, {
      digest: null,
      blobBytes: 0,
      inline: canonicalJson(apiKeyEntry(tx.tenant, key, usagePlanIds)),
      ...poolsField(await poolsOfPlans(tx, usagePlanIds)),
    });
    return;
  }
  const published = await tx.manifest.find('API_KEY', apiKeyId);
  if (published !== null && published.content !== null) await tx.manifest.remove('API_KEY', apiKeyId);
}

/**
 * Brings the runners up to date with the function's versions: with those in `only`, else with all. The caller holds the
 * function's lock and has written everything it changes; `$LATEST` is taken from `definition`.
 */
export async function publishFunction(
  tx: TenantRepositories,
  definition: FunctionDefinition,
  only?: readonly string[],
): Promise<void> {
  const { name } = definition;
  const published = await tx.functionVersions.ofFunction(name);
  const aliases = await tx.functionAliases.ofFunction(name);
  const statements = await tx.functionStatements.ofFunction(name);
  const pools = poolsField(await poolsOfFunctions(tx));
  for (const version of [definition.latest, ...published]) {
    if (only !== undefined && !only.includes(version.version)) continue;
    await tx.manifest.put('FUNCTION', functionEntryId(tx.tenant, name, version.version), {
      digest: version.codeDigest,
      blobBytes: version.codeBytes,
      inline: canonicalJson(functionEntry(tx.tenant, definition, version, aliases, statements)),
      ...pools,
    });
  }
}

/** Takes these versions from the runners. The caller removes them from the store. */
export async function unpublishFunction(
  tx: TenantRepositories,
  functionName: string,
  versions: readonly string[],
): Promise<void> {
  for (const version of versions) await tx.manifest.remove('FUNCTION', functionEntryId(tx.tenant, functionName, version));
}

export const functionEntryId = (tenant: TenantId, functionName: string, version: string): string =>
  `${tenant}:${functionName}:${version}`;

export const stageEntryId = (apiId: string, stageName: string): string => `${apiId}/${stageName}`;
