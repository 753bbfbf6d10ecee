/**
 * What differs between two definitions of an API, as its owner would say it: by paths and names. Ids, times and tags are not compared,
 * because no caller notices them and a tag needs no deployment: an API that was imported again under new ids is the same API.
 */
import { canonicalJson } from '@gatehouse/kernel';
import type { ApiPart } from '../api-parts/api-part.js';
import type { Integration, Method } from '../rest-apis/rest-api.js';
import type { RestApiDefinition } from './deployment.js';

export type Concern = 'authorization' | 'keys' | 'policy' | 'cors';

export interface DefinitionChange {
  /** Unique in a diff: `/pets/{id} GET integration.uri`, `/pets`, `api.policy`, `authorizers.users.identitySource`. */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly resourcePath: string | null;
  readonly httpMethod: string | null;
  /** Within the method or section; `null`: all of it. */
  readonly part: string | null;
  /** `null`: it was not there, or not given. */
  readonly before: Json;
  readonly after: Json;
  /** Whoever reviews the change should look at these first. */
  readonly concerns: readonly Concern[];
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** One thing that an API has none or one of, without ids. */
export interface Unit {
  /** `api`; `resources` and a path; `methods`, a path and a verb; the kind of a part and its name. */
  readonly steps: readonly string[];
  readonly value: Json;
}

/** Everything that is not alike. The same inputs give the same list, whatever order their parts are in. */
export function diffDefinitions(before: RestApiDefinition, after: RestApiDefinition): DefinitionChange[] {
  const [left, right] = [unitsByKey(before), unitsByKey(after)];
  const differing: { readonly steps: readonly string[]; readonly before: Json; readonly after: Json }[] = [];
  for (const [key, { steps }] of new Map([...left, ...right])) {
    const pair = { steps, before: left.get(key)?.value ?? null, after: right.get(key)?.value ?? null };
    // Nearly all units of a large API are alike, and comparing is cheaper than taking apart.
    if (!isSame(pair.before, pair.after)) differing.push(pair);
  }
  differing.sort((a, b) => compareSteps(orderOf(a.steps), orderOf(b.steps)));
  return differing.flatMap(({ steps, before: value, after: other }) =>
    differences(value, other, []).map((difference) => toChange(steps, difference)),
  );
}

/** The definition, taken apart. */
export function unitsOf(definition: RestApiDefinition): Unit[] {
  const { api, resources, methods, parts } = definition;
  const settings = without(api, 'id', 'createdAtMs', 'region', 'rootResourceId', 'tags');
  const paths = new Map(resources.map(({ id, path }) => [id, path]));
  const authorizers = labels(parts?.authorizers ?? []);
  const validators = labels(parts?.requestValidators ?? []);
  return [
    { steps: ['api'], value: settings as Json },
    ...resources.map(({ path }) => ({ steps: ['resources', path], value: {} })),
    ...methods.map((method) => ({
      steps: ['methods', paths.get(method.resourceId)!, method.httpMethod],
      value: methodValue(method, authorizers, validators),
    })),
    ...(parts?.models ?? []).map((model) => part('models', model.id, without(model, 'apiId', 'id', 'modelId'))),
    ...(parts?.requestValidators ?? []).map((validator) =>
      part('requestValidators', validators.get(validator.id)!, without(validator, 'apiId', 'id')),
    ),
    ...(parts?.authorizers ?? []).map((authorizer) =>
      part('authorizers', authorizers.get(authorizer.id)!, without(authorizer, 'apiId', 'id')),
    ),
    ...(parts?.gatewayResponses ?? []).map((response) => part('gatewayResponses', response.id, without(response, 'apiId', 'id'))),
  ];
}

/** Members that do not count are `null`, which is as if they were not there. */
function methodValue(method: Method, authorizers: ReadonlyMap<string, string>, validators: ReadonlyMap<string, string>): Json {
  const { resourceId, authorizerId, requestValidatorId, integration } = method;
  const named = (id: string | null, names: ReadonlyMap<string, string>) => (id === null ? null : (names.get(id) ?? id));
  return {
    ...method,
    apiId: null,
    resourceId: null,
    httpMethod: null,
    authorizerId: null,
    requestValidatorId: null,
    authorizer: named(authorizerId, authorizers),
    requestValidator: named(requestValidatorId, validators),
    integration: integration === null ? null : integrationValue(integration, resourceId),
  } as unknown as Json;
}

function integrationValue(integration: Integration, resourceId: string): Json {
  const { cacheNamespace, requestTemplates, integrationResponses } = integration;
  return {
    ...integration,
    // The namespace that is given to a method by default is the id of its resource.
    cacheNamespace: cacheNamespace === resourceId ? null : cacheNamespace,
    requestTemplates: templatesValue(requestTemplates),
    integrationResponses: Object.fromEntries(
      Object.entries(integrationResponses).map(([status, response]) => [
        status,
        { ...response, responseTemplates: templatesValue(response.responseTemplates) },
      ]),
    ),
  } as unknown as Json;
}

/** A template that is `null` is there, and empty. */
function templatesValue(templates: Integration['requestTemplates']): Integration['requestTemplates'] {
  if (templates === null || !Object.values(templates).includes(null)) return templates;
  return Object.fromEntries(Object.entries(templates).map(([type, template]) => [type, template ?? '']));
}

function without<T extends object>(value: T, ...names: readonly (keyof T & string)[]): { readonly [name: string]: Json } {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !(names as readonly string[]).includes(name)));
}

const part = (section: string, name: string, value: object): Unit => ({ steps: [section, name], value: value as Json });

/** Names by id; with the ids where names alone would not tell the parts apart. */
function labels(parts: readonly (ApiPart & { readonly name: string | null })[]): Map<string, string> {
  const isUnique = new Set(parts.map(({ name }) => name)).size === parts.length;
  return new Map(parts.map(({ id, name }) => [id, isUnique && name !== null ? name : `${name ?? ''} (${id})`]));
}

interface Difference {
  readonly steps: readonly string[];
  readonly before: Json;
  readonly after: Json;
}

/** Down to the smallest part that differs; what is on one side alone is one difference, with everything in it. */
function differences(before: Json, after: Json, steps: readonly string[]): Difference[] {
  if (isSame(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [{ steps, before, after }];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(byCodePoint);
  return names.flatMap((name) => differences(member(before, name), member(after, name), [...steps, name]));
}

/** Whatever the order of members; one that is not given is `null`. */
function isSame(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isSame(item as Json, b[index] as Json));
  if (!isObject(a) || !isObject(b)) return false;
  for (const name of Object.keys(a)) if (!isSame(member(a, name), member(b, name))) return false;
  for (const name of Object.keys(b)) if (!Object.hasOwn(a, name) && member(b, name) !== null) return false;
  return true;
}

function toChange(unit: readonly string[], difference: Difference): DefinitionChange {
  const { steps } = difference;
  const [before, after] = [ordered(difference.before), ordered(difference.after)];
  const [section, name] = unit;
  const isInTree = section === 'resources' || section === 'methods';
  const httpMethod = section === 'methods' ? unit[2]! : null;
  const partText = steps.length === 0 ? null : memberText(steps);
  const place = isInTree ? unit.slice(1).join(' ') : memberText(unit);
  return {
    path: partText === null ? place : `${place}${isInTree ? ' ' : '.'}${partText}`,
    kind: before === null ? 'added' : after === null ? 'removed' : 'changed',
    resourcePath: isInTree ? name! : null,
    httpMethod,
    part: isInTree ? partText : partText === null ? name! : partText,
    before,
    after,
    concerns: concernsOf(unit, steps, before, after),
  };
}

function concernsOf(unit: readonly string[], steps: readonly string[], before: Json, after: Json): Concern[] {
  const [section, , httpMethod] = unit;
  const [member] = steps;
  const isWhole = member === undefined;
  const isMethod = section === 'methods';
  const isKeyed = (value: Json): boolean => isObject(value) && value.apiKeyRequired === true;
  const answers: Record<Concern, boolean> = {
    // A method that comes or goes is a door, with its lock or without one.
    authorization:
      section === 'authorizers' ||
      (isMethod && (isWhole || ['authorizationType', 'authorizer', 'authorizationScopes'].includes(member))),
    keys:
      (section === 'api' && member === 'apiKeySource') ||
      (isMethod && (isWhole ? isKeyed(before) || isKeyed(after) : member === 'apiKeyRequired')),
    policy: section === 'api' && member === 'policy',
    // Preflights are OPTIONS; the headers stand in parameters and may be set by templates.
    cors: (isMethod && httpMethod === 'OPTIONS') || /access-control-/i.test(canonicalJson([steps, before, after])),
  };
  return (Object.keys(answers) as Concern[]).filter((concern) => answers[concern]);
}

/** `integration.requestParameters["integration.request.header.X"]`. */
function memberText(steps: readonly string[]): string {
  return steps
    .map((step, index) =>
      !/^[A-Za-z_][A-Za-z0-9_]*$/.test(step) ? `[${JSON.stringify(step)}]` : index === 0 ? step : `.${step}`,
    )
    .join('');
}

const SECTIONS = ['api', 'resources', 'methods', 'models', 'requestValidators', 'authorizers', 'gatewayResponses'];

/** The API first; then the tree, each resource before its methods; then the parts. */
function orderOf(steps: readonly string[]): string[] {
  const [section, ...names] = steps;
  const index = SECTIONS.indexOf(section!);
  return [String(section === 'methods' ? index - 1 : index), ...names];
}

function compareSteps(a: readonly string[], b: readonly string[]): number {
  const differing = a.findIndex((step, index) => step !== b[index]);
  if (differing === -1) return a.length - b.length;
  return differing >= b.length ? 1 : byCodePoint(a[differing]!, b[differing]!);
}

function unitsByKey(definition: RestApiDefinition): Map<string, Unit> {
  return new Map(unitsOf(definition).map((unit) => [keyOf(unit.steps), unit]));
}

const keyOf = (steps: readonly string[]): string => JSON.stringify(steps);

const isObject = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A member that is not given is `null`; names of a prototype are tenants' texts like any other. */
const member = (value: { readonly [name: string]: Json }, name: string): Json =>
  Object.hasOwn(value, name) ? (value[name] ?? null) : null;

/** Members in one order, so that answers are the same bytes; those that are not given are left out. */
function ordered(value: Json): Json {
  if (!isObject(value)) return value;
  const names = Object.keys(value)
    .filter((name) => member(value, name) !== null)
    .sort(byCodePoint);
  return Object.fromEntries(names.map((name) => [name, ordered(value[name]!)]));
}

// Not localeCompare: the order may not depend on the machine's language.
const byCodePoint = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
