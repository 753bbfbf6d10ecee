/** The functions of a generated client: one per method of the API. */
import type { DeployedParts, Method, RestApiDefinition, TextMap } from '@gatehouse/domain';

export interface ClientFunction {
  /** An identifier, the function's alone. */
  readonly name: string;
  /** `ANY`: the caller says which. */
  readonly httpMethod: string;
  /** From the root, e.g. `/pets/{petId}`. */
  readonly path: string;
  readonly operationName: string | null;
  readonly parameters: readonly ClientParameter[];
  /** The model of a JSON body. */
  readonly bodyModel: string | null;
  /** The models of answers that are no errors; empty where a method does not say. */
  readonly resultModels: readonly string[];
  readonly needsApiKey: boolean;
  /** The header in which the authorizer looks; `null` where nothing of the kind is wanted. */
  readonly authorizationHeader: string | null;
  readonly needsSignature: boolean;
}

export interface ClientParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly isRequired: boolean;
}

const JSON_TYPE = 'application/json';
const PLACES = { querystring: 'query', path: 'path', header: 'header' } as const;

/** In the order of the definition: path, then verb. */
export function clientFunctions({ resources, methods, parts }: RestApiDefinition): ClientFunction[] {
  const paths = new Map(resources.map(({ id, path }) => [id, path]));
  const taken = new TakenNames();
  return methods.map((method) => {
    const path = paths.get(method.resourceId)!;
    const name = taken.take(functionName(method, path));
    return {
      name,
      httpMethod: method.httpMethod,
      path,
      operationName: method.operationName,
      parameters: clientParameters(method, path),
      bodyModel: modelOf(method.requestModels),
      resultModels: resultModels(method),
      needsApiKey: method.apiKeyRequired,
      authorizationHeader: authorizationHeader(method, parts),
      needsSignature: method.authorizationType === 'AWS_IAM',
    };
  });
}

/** Names given once each: `pets`, `pets_2`. Types are named after functions, with a capital, so `Pets` is taken as well. */
class TakenNames {
  readonly #taken = new Set<string>();
  /** By wanted name, so that ten thousand operations of one name are not counted from one each. */
  readonly #counts = new Map<string, number>();

  take(wanted: string): string {
    const key = upperFirst(wanted);
    for (let count = (this.#counts.get(key) ?? 0) + 1; ; count++) {
      const name = count === 1 ? wanted : `${wanted}_${count}`;
      if (this.#taken.has(upperFirst(name))) continue;
      this.#counts.set(key, count);
      this.#taken.add(upperFirst(name));
      return name;
    }
  }
}

/** An operation's own name where it is one in JavaScript; else the words of the path and the verb: `petsPetIdGet`. */
function functionName({ operationName, httpMethod }: Method, path: string): string {
  const isUsable = operationName !== null && /^[A-Za-z][A-Za-z0-9_$]*$/.test(operationName) && !RESERVED.has(operationName);
  return isUsable ? operationName : wordsOf(path, httpMethod);
}

/** `then` would make a promise of the client; the others are everybody's. */
const RESERVED: ReadonlySet<string> = new Set(['then', 'constructor', 'toString', 'valueOf', 'toJSON', 'hasOwnProperty']);

function wordsOf(path: string, httpMethod: string): string {
  const words = [...(path.match(/[A-Za-z0-9]+/g) ?? ['root']), httpMethod.toLowerCase()];
  const name = words.map((word, index) => (index === 0 ? lowerFirst(word) : upperFirst(word))).join('');
  return /^\d/.test(name) ? `_${name}` : name;
}

function lowerFirst(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1);
}

export function upperFirst(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** Variables of the path are parameters whether the method says so or not: nobody can call it without. */
function clientParameters({ requestParameters }: Method, path: string): ClientParameter[] {
  const variables = [...path.matchAll(/\{([^}+]+)\+?\}/g)].map(([, name]) => name!);
  const declared = Object.entries(requestParameters ?? {}).flatMap(([parameter, isRequired]): ClientParameter[] => {
    const [, location = '', name = ''] = /^method\.request\.(querystring|path|header)\.(.+)$/.exec(parameter) ?? [];
    const place = location === '' ? null : PLACES[location as keyof typeof PLACES];
    return place === null || place === 'path' ? [] : [{ name, in: place, isRequired }];
  });
  return [...variables.map((name): ClientParameter => ({ name, in: 'path', isRequired: true })), ...declared];
}

function modelOf(models: TextMap | null): string | null {
  return (models !== null && Object.hasOwn(models, JSON_TYPE) ? models[JSON_TYPE] : undefined) ?? null;
}

function resultModels({ methodResponses }: Method): string[] {
  const successes = Object.values(methodResponses).filter(({ statusCode }) => statusCode.startsWith('2'));
  const models = successes.map(({ responseModels }) => modelOf(responseModels));
  // One answer without a model may hold anything.
  return models.includes(null) ? [] : [...new Set(models as string[])];
}

function authorizationHeader({ authorizationType, authorizerId }: Method, parts: DeployedParts | undefined): string | null {
  if (authorizationType !== 'CUSTOM' && authorizationType !== 'COGNITO_USER_POOLS') return null;
  const source = parts?.authorizers.find(({ id }) => id === authorizerId)?.identitySource;
  return /^method\.request\.header\.([^\s,]+)$/.exec(source ?? '')?.[1] ?? null;
}
