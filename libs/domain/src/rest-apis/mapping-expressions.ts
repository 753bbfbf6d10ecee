/**
 * Parameter mappings of REST APIs (data-plane reference 3.7): which destinations and sources there are. How an expression is written says
 * `parseMappingExpression`.
 *
 *   declared on the method        method.request.{querystring|path|header}.{name}, method.response.header.{name}
 *   destination of a request      integration.request.{querystring|path|header}.{name}
 *   source of a request           the declared ones (multivaluequerystring, multivalueheader as well), method.request.body[.{JSONPath}]
 *   source of a response          integration.response.{header|multivalueheader}.{name}, integration.response.body[.{JSONPath}]
 *   of gateway responses          from the request, but for its body, to gatewayresponse.header.{name}
 *   source of all                 stageVariables.{name}, context.{name}, 'static text'
 */
import { parseMappingExpression, type MappingExpression, type ParameterSide } from '@gatehouse/lang';
import { badRequest } from '../errors.js';

/** Throws BadRequest unless each key is `method.request.{location}.{name}` and no name is declared twice. */
export function checkRequestParameters(parameters: Readonly<Record<string, boolean>>): void {
  const names = new Set<string>();
  for (const parameter of Object.keys(parameters)) {
    const { name } = readPlace(parameter, 'method.request');
    if (names.has(name)) throw badRequest('Parameter names must be unique across querystring, header and path');
    names.add(name);
  }
}

/** Throws BadRequest unless `parameter` is `method.response.header.{name}`. */
export function checkResponseParameter(parameter: string): void {
  readPlace(parameter, 'method.response');
}

/** One entry of an integration's request parameters. `declared` are the method's own. */
export function checkRequestMapping(destination: string, source: string, declared: Readonly<Record<string, boolean>>): void {
  readPlace(destination, 'integration.request');
  const expression = readSource(source, 'method.request');
  if (expression.kind !== 'parameter') return;
  const { location, name } = expression;
  if (!Object.hasOwn(declared, `method.request.${location}.${name}`)) throw undeclaredParameter(source);
}

/** One entry of an integration response's parameters. `declared` are those of the method response with the same status. */
export function checkResponseMapping(destination: string, source: string, declared: Readonly<Record<string, boolean>>): void {
  checkResponseParameter(destination);
  if (!Object.hasOwn(declared, destination)) throw undeclaredParameter(destination);
  readSource(source, 'integration.response');
}

/** One entry of a gateway response's parameters: there is no method to declare anything. */
export function checkGatewayResponseMapping(destination: string, source: string): void {
  readPlace(destination, 'gatewayresponse');
  if (readSource(source, 'method.request').kind === 'body') throw invalidExpression(source);
}

/** Where something is declared or goes to: one value. */
function readPlace(text: string, side: ParameterSide): Extract<MappingExpression, { kind: 'parameter' }> {
  const expression = parseMappingExpression(text);
  if (expression?.kind === 'parameter' && expression.side === side && !expression.isMultiValue) return expression;
  throw invalidExpression(text);
}

/** Where something comes from: that side, or what is at hand everywhere. */
function readSource(text: string, side: ParameterSide): MappingExpression {
  const expression = parseMappingExpression(text);
  if (expression === null) throw invalidExpression(text);
  if ((expression.kind === 'parameter' || expression.kind === 'body') && expression.side !== side) throw invalidExpression(text);
  return expression;
}

const refusal = (reason: string): Error =>
  badRequest(`Invalid mapping expression specified: Validation Result: warnings : [], errors : [${reason}]`);
const invalidExpression = (expression: string): Error => refusal(`Invalid mapping expression specified: ${expression}`);
const undeclaredParameter = (parameter: string): Error => refusal(`Invalid mapping expression parameter specified: ${parameter}`);
/** For a response mapping whose method response is not there. */
export const noMethodResponse = (): Error => refusal('No method response exists for method.');
