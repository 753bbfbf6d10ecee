/**
 * Parameter mappings of REST APIs (data-plane reference 3.7): which destinations and sources there are.
 *
 *   declared on the method        method.request.{querystring|path|header}.{name}, method.response.header.{name}
 *   destination of a request      integration.request.{querystring|path|header}.{name}
 *   source of a request           the declared ones (multivaluequerystring, multivalueheader as well), method.request.body[.{JSONPath}]
 *   source of a response          integration.response.{header|multivalueheader}.{name}, integration.response.body[.{JSONPath}]
 *   source of both                stageVariables.{name}, context.{name}, 'static text'
 *
 * Texts are checked here, never turned into patterns or code.
 */
import { badRequest } from '../errors.js';

const NAME = /^[a-zA-Z0-9._$-]+$/;
/** `cognito:username` is a claim. */
const CONTEXT_NAME = /^[a-zA-Z0-9._$:-]+$/;
const DECLARED_LOCATIONS = ['querystring', 'path', 'header'];
/** Source location to the location its parameter is declared in. */
const SOURCE_LOCATIONS: Readonly<Record<string, string>> = {
  querystring: 'querystring',
  path: 'path',
  header: 'header',
  multivaluequerystring: 'querystring',
  multivalueheader: 'header',
};

/** Throws BadRequest unless each key is `method.request.{location}.{name}` and no name is declared twice. */
export function checkRequestParameters(parameters: Readonly<Record<string, boolean>>): void {
  const names = new Set<string>();
  for (const parameter of Object.keys(parameters)) {
    const { name } = readRequestParameter(parameter);
    if (names.has(name)) throw badRequest('Parameter names must be unique across querystring, header and path');
    names.add(name);
  }
}

function readRequestParameter(parameter: string): { location: string; name: string } {
  const [location = '', name] = split(rest(parameter, 'method.request.') ?? '');
  if (!DECLARED_LOCATIONS.includes(location) || name === undefined || !NAME.test(name)) throw invalidExpression(parameter);
  return { location, name };
}

/** Throws BadRequest unless `parameter` is `method.response.header.{name}`. */
export function checkResponseParameter(parameter: string): void {
  const name = rest(parameter, 'method.response.header.');
  if (name === null || !NAME.test(name)) throw invalidExpression(parameter);
}

/** One entry of an integration's request parameters. `declared` are the method's own. */
export function checkRequestMapping(destination: string, source: string, declared: Readonly<Record<string, boolean>>): void {
  const [location = '', name] = split(rest(destination, 'integration.request.') ?? '');
  if (!DECLARED_LOCATIONS.includes(location) || name === undefined || !NAME.test(name)) throw invalidExpression(destination);
  if (isCommonSource(source) || isBody(source, 'method.request.body')) return;
  const [sourceLocation = '', sourceName] = split(rest(source, 'method.request.') ?? '');
  const declaredIn = Object.hasOwn(SOURCE_LOCATIONS, sourceLocation) ? SOURCE_LOCATIONS[sourceLocation] : undefined;
  if (declaredIn === undefined || sourceName === undefined || !NAME.test(sourceName)) throw invalidExpression(source);
  if (!Object.hasOwn(declared, `method.request.${declaredIn}.${sourceName}`)) throw undeclaredParameter(source);
}

/** One entry of an integration response's parameters. `declared` are those of the method response with the same status. */
export function checkResponseMapping(destination: string, source: string, declared: Readonly<Record<string, boolean>>): void {
  checkResponseParameter(destination);
  if (!Object.hasOwn(declared, destination)) throw undeclaredParameter(destination);
  if (isCommonSource(source) || isBody(source, 'integration.response.body')) return;
  const name = rest(source, 'integration.response.header.') ?? rest(source, 'integration.response.multivalueheader.');
  if (name === null || !NAME.test(name)) throw invalidExpression(source);
}

function isCommonSource(source: string): boolean {
  if (source.startsWith("'")) return source.length >= 2 && source.endsWith("'") && isPrintable(source);
  return NAME.test(rest(source, 'stageVariables.') ?? '') || CONTEXT_NAME.test(rest(source, 'context.') ?? '');
}

function isBody(source: string, body: string): boolean {
  if (source === body) return true;
  const jsonPath = rest(source, `${body}.`);
  return jsonPath !== null && jsonPath !== '' && isPrintable(jsonPath);
}

/** A line break in a static header would end the header. */
function isPrintable(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

function rest(text: string, prefix: string): string | null {
  return text.startsWith(prefix) ? text.slice(prefix.length) : null;
}

/** `header.X-A.b` is `header` and `X-A.b`. */
function split(text: string): [string, string] | [] {
  const dot = text.indexOf('.');
  return dot === -1 ? [] : [text.slice(0, dot), text.slice(dot + 1)];
}

const refusal = (reason: string): Error =>
  badRequest(`Invalid mapping expression specified: Validation Result: warnings : [], errors : [${reason}]`);
const invalidExpression = (expression: string): Error => refusal(`Invalid mapping expression specified: ${expression}`);
const undeclaredParameter = (parameter: string): Error => refusal(`Invalid mapping expression parameter specified: ${parameter}`);
/** For a response mapping whose method response is not there. */
export const noMethodResponse = (): Error => refusal('No method response exists for method.');
