/** An authorizer of the draft or of a deployment, as nodes ask it. What they cannot ask admits nobody. */
import type { AuthorizerSnapshot } from '@gatehouse/contracts';
import type { Authorizer, RestApiDefinition, TextMap } from '@gatehouse/domain';
import { compareText } from './diagnostics.js';
import { readRole } from './role.js';
import { functionArnOf, resolveStageVariables } from './uri.js';

/** Of one that says nothing. */
const DEFAULT_TTL_SECONDS = 300;

/** The authorizers of a deployment: those that routes ask go into the snapshot. */
export class AuthorizerCompiler {
  private readonly asked = new Map<string, AuthorizerSnapshot>();

  constructor(
    private readonly definition: RestApiDefinition,
    private readonly variables: TextMap,
    private readonly tenant: string,
  ) {}

  /** What a method's authorization names, of the type that its own stands for; or why it admits nobody. */
  compile(authorizerId: string | null, isPool: boolean): { readonly authorizerId: string } | { readonly refusal: string } {
    const authorizer = this.definition.parts?.authorizers.find(({ id }) => id === authorizerId);
    if (authorizer === undefined) return { refusal: `authorizer ${authorizerId} is not there` };
    const snapshot = this.asked.get(authorizer.id) ?? compileAuthorizer(authorizer, this.variables, this.tenant);
    if (snapshot.type === 'REFUSE') return { refusal: snapshot.reason };
    if ((snapshot.type === 'USER_POOLS') !== isPool)
      return { refusal: `authorizer ${authorizer.id} is of type ${authorizer.type}` };
    this.asked.set(authorizer.id, snapshot);
    return { authorizerId: authorizer.id };
  }

  /** `undefined` for none. */
  get snapshots(): Readonly<Record<string, AuthorizerSnapshot>> | undefined {
    return this.asked.size === 0 ? undefined : Object.fromEntries(this.asked);
  }
}

/** `tenant`: whose roles it may use. */
export function compileAuthorizer(authorizer: Authorizer, variables: TextMap, tenant: string): AuthorizerSnapshot {
  const { type, authorizerCredentials, authorizerUri, identitySource } = authorizer;
  if (type === 'COGNITO_USER_POOLS') return compileUserPools(authorizer, variables);
  const role =
    authorizerCredentials === null ? null : readRole(resolveStageVariables(authorizerCredentials, variables).text, tenant);
  if (typeof role === 'string') return refuse(`authorizerCredentials: ${role}`);
  const functionArn = functionArnOf(resolveStageVariables(authorizerUri ?? '', variables).text);
  if (functionArn === null) return refuse(`authorizerUri: ${authorizerUri} names no function`);
  return {
    type,
    functionArn,
    identitySources: (identitySource ?? '')
      .split(',')
      .map((source) => source.trim())
      .filter((source) => source !== ''),
    // Of a REQUEST authorizer it has no effect on AWS either.
    validationExpression: type === 'TOKEN' ? authorizer.identityValidationExpression : null,
    ttlSeconds: authorizer.authorizerResultTtlInSeconds ?? DEFAULT_TTL_SECONDS,
    ...(role !== null && { account: role.account }),
  };
}

function compileUserPools(
  { providerARNs, identitySource, identityValidationExpression, authorizerResultTtlInSeconds }: Authorizer,
  variables: TextMap,
): AuthorizerSnapshot {
  const issuers: string[] = [];
  for (const arn of providerARNs) {
    const issuer = issuerOf(resolveStageVariables(arn, variables).text);
    if (issuer === null) return refuse(`${arn} names no issuer of tokens`);
    issuers.push(issuer);
  }
  return {
    type: 'USER_POOLS',
    issuers: issuers.sort(compareText),
    identitySource: identitySource ?? '',
    validationExpression: identityValidationExpression,
    ttlSeconds: authorizerResultTtlInSeconds ?? DEFAULT_TTL_SECONDS,
  };
}

const USER_POOL = /^arn:aws(-cn|-us-gov)?:cognito-idp:([a-z0-9-]{1,30}):\d{12}:userpool\/(\2_[A-Za-z0-9]{1,64})$/;
/** IAM's name of an OpenID Connect provider is its address. */
const OIDC_PROVIDER = /^arn:aws[a-z-]{0,20}:iam::\d{12}:oidc-provider\/([A-Za-z0-9.-]+(?::\d{1,5})?(?:\/[A-Za-z0-9._~/-]*)?)$/;

/** As tokens name it; `null` for an ARN that stands for none. */
function issuerOf(arn: string): string | null {
  const pool = USER_POOL.exec(arn);
  if (pool !== null) return `https://cognito-idp.${pool[2]!}.amazonaws.com${pool[1] === '-cn' ? '.cn' : ''}/${pool[3]!}`;
  const provider = OIDC_PROVIDER.exec(arn);
  return provider !== null && URL.canParse(`https://${provider[1]!}`) ? `https://${provider[1]!}` : null;
}

const refuse = (reason: string): AuthorizerSnapshot => ({ type: 'REFUSE', reason });
