import { badRequest, notFound } from '../errors.js';
import type { PatchRules } from '../patch/patch.js';
import { property, textOrNull } from '../patch/rules.js';
import type { Method, TextMap } from '../rest-apis/rest-api.js';
import { checkTags } from '../tenancy/tags.js';

/** A way to a load balancer inside a private network. An ARN names none here: whoever runs the house says what a link leads to. */
export interface VpcLink {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly targetArns: readonly string[];
  readonly tags: TextMap;
  /** Absent: nowhere yet; integrations that go through it are refused by nodes. */
  readonly privateTargets?: PrivateTargets;
}

/** Where nodes connect to for a VPC link, as the load balancer behind its ARN would. */
export interface PrivateTargets {
  /** At least one. */
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  /** For SNI and the check of certificates; `null`: the host of the integration's URI. */
  readonly tlsName: string | null;
  /** The operator said so, who may name private addresses; a tenant's are reached by the rules for his backends. */
  readonly isOperators: boolean;
}

export const VPC_LINK_TARGETS_MAX = 16;
const TARGET = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}))):(\d{1,5})$/;
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/;

/** Of texts like `10.0.0.5:8080`, `[fd00::5]:443`, `inner.example:80`. Throws BadRequest. */
export function readPrivateTargets(texts: readonly string[], tlsName: string | null, isOperators: boolean): PrivateTargets {
  if (texts.length === 0 || texts.length > VPC_LINK_TARGETS_MAX)
    throw badRequest(`Invalid targets: expected 1 to ${VPC_LINK_TARGETS_MAX}, got ${texts.length}`);
  if (tlsName !== null && !HOST_NAME.test(tlsName)) throw badRequest(`Invalid tlsName: expected a host name, got "${tlsName}"`);
  return { targets: texts.map(readTarget), tlsName, isOperators };
}

function readTarget(text: string): PrivateTargets['targets'][number] {
  const match = TARGET.exec(text);
  const port = Number(match?.[3]);
  if (match === null || !(port >= 1 && port <= 65_535)) throw badRequest(`Invalid target: expected host:port, got "${text}"`);
  return { host: (match[1] ?? match[2]!).toLowerCase(), port };
}

/** What CreateVpcLink may say. */
export interface VpcLinkRequest {
  readonly name: string;
  readonly description?: string | undefined;
  readonly targetArns: readonly string[];
  readonly tags?: TextMap | undefined;
}

/** Everything an ARN may have; which load balancer it is is nobody's question here. */
const ARN = /^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d{0,12}:\S+$/;

/** Throws BadRequest. */
export function newVpcLink({ name, description = '', targetArns, tags = {} }: VpcLinkRequest, id: string): VpcLink {
  for (const arn of targetArns) if (!ARN.test(arn)) throw badRequest(`Invalid ARN. ARN is not well formed ${arn}`);
  // API reference, CreateVpcLink: "the ARN of the network load balancer". The wording is ours.
  if (targetArns.length !== 1) throw badRequest(`A VPC link must have one target ARN, got ${targetArns.length}`);
  return { id, name: readName(name), description: textOrNull(description), targetArns, tags: checkTags(tags) };
}

/** UpdateVpcLink. Its target stays. */
export const vpcLinkPatchRules: PatchRules<VpcLink> = {
  style: 'listsPaths',
  rules: [property('/name', 'name', readName), property('/description', 'description', textOrNull)],
};

function readName(name: string): string {
  if (name.trim() === '') throw badRequest('Name cannot be empty');
  return name;
}

/** The VPC link a method's integration goes through; `null` when it goes through none, or a stage variable says which. */
export function vpcLinkIdOf({ integration }: Pick<Method, 'integration'>): string | null {
  if (integration === null || integration.connectionType !== 'VPC_LINK') return null;
  const { connectionId } = integration;
  return connectionId === null || connectionId.includes('${') ? null : connectionId;
}

/** The draft is, on AWS, the stage of this name (TestInvokeMethod runs in it). */
const DRAFT_STAGE = 'test-invoke-stage';

/** The refusal of DeleteVpcLink while integrations go through it. */
export function vpcLinkInUse(id: string, methods: readonly Method[]): Error {
  const list = methods.map(({ apiId, httpMethod, resourceId }) => `${apiId}:${httpMethod}:${resourceId}:${DRAFT_STAGE}`);
  return badRequest(
    `Cannot delete vpc link. Vpc link '${id}', is referenced in [${list.join(', ')}] ` +
      'in format of [RESTApiId:Method:Resource:Stage].',
  );
}

export const unknownVpcLink = (): Error => notFound('Invalid Vpc Link identifier specified');
/** Of an integration that names one. */
export const noSuchVpcLink = (): Error => badRequest('Invalid Vpc Link identifier specified');
