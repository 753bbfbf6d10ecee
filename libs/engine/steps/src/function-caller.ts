/** Who calls a function, as the runner is told. */
import { INVOKE_HEADERS } from '@gatehouse/contracts';
import type { RawHeaders, RouteSettings } from '@gatehouse/engine-exchange';

/** Of a route, for the function's resource policy (data-plane reference §3.3): the configured method, `*` for ANY. */
export function sourceArn({ stage, route }: RouteSettings): string {
  const httpMethod = route.httpMethod === 'ANY' ? '*' : route.httpMethod;
  return `arn:aws:execute-api:${stage.region}:${stage.tenant}:${stage.apiId}/${stage.stage}/${httpMethod}${route.path}`;
}

export function callerOf(settings: RouteSettings, account: string | null): RawHeaders {
  return invokeHeaders(sourceArn(settings), settings.stage.tenant, account);
}

/**
 * API Gateway on behalf of something of the tenant's, which the function's resource policy has to let in; or with a role the account that the
 * role belongs to, which may call its own functions, and others that let it in.
 */
export function invokeHeaders(arn: string, tenant: string, account: string | null): RawHeaders {
  if (account !== null) return [INVOKE_HEADERS.sourcePrincipal, account, INVOKE_HEADERS.sourceAccount, account];
  return [
    INVOKE_HEADERS.sourcePrincipal,
    'apigateway.amazonaws.com',
    INVOKE_HEADERS.sourceArn,
    arn,
    INVOKE_HEADERS.sourceAccount,
    tenant,
  ];
}
