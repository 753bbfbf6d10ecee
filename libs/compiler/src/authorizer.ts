/** An authorizer of the draft or of a deployment, as nodes ask it. What they cannot ask admits nobody. */
import type { AuthorizerSnapshot } from '@gatehouse/contracts';
import type { Authorizer, RestApiDefinition, TextMap } from '@gatehouse/domain';
import { functionArnOf, resolveStageVariables } from './uri.js';

/** Of one that says nothing. */
const DEFAULT_TTL_SECONDS = 300;

/** The authorizers of a deployment: those that routes ask go into the snapshot. */
export class AuthorizerCompiler {
  private readonly asked = new Map<string, AuthorizerSnapshot>();

  constructor(
    private readonly definition: RestApiDefinition,
    private readonly variables: TextMap,
  ) {}

  /** Of a method; or why it admits nobody. */
  compile(authorizerId: string | null): { readonly authorizerId: string } | { readonly refusal: string } {
    const authorizer = this.definition.parts?.authorizers.find(({ id }) => id === authorizerId);
    if (authorizer === undefined) return { refusal: `authorizer ${authorizerId} is not there` };
    const snapshot = this.asked.get(authorizer.id) ?? compileAuthorizer(authorizer, this.variables);
    if (snapshot.type === 'REFUSE') return { refusal: snapshot.reason };
    this.asked.set(authorizer.id, snapshot);
    return { authorizerId: authorizer.id };
  }

  /** `undefined` for none. */
  get snapshots(): Readonly<Record<string, AuthorizerSnapshot>> | undefined {
    return this.asked.size === 0 ? undefined : Object.fromEntries(this.asked);
  }
}

export function compileAuthorizer(authorizer: Authorizer, variables: TextMap): AuthorizerSnapshot {
  const { type, providerARNs, authorizerCredentials, authorizerUri, identitySource } = authorizer;
  if (type === 'COGNITO_USER_POOLS') return refuse(`the issuer of ${providerARNs.join(', ')} is not registered`);
  if (authorizerCredentials !== null) return refuse('invoking a function with a role is not served');
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
  };
}

const refuse = (reason: string): AuthorizerSnapshot => ({ type: 'REFUSE', reason });
