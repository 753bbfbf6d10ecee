/** `$input` (data-plane reference 5.2). */
import type { Buffer } from 'node:buffer';
import { JsonPath, MISSING, type Selected } from '../json-path/json-path.js';
import { JsonPathError } from '../json-path/parse-path.js';
import { type Budget, RenderFailure } from './budget.js';
import { jsonText, JavaMap, JavaObject, TextMap, type Value } from './java-values.js';
import { JsonBodyError, parseJson, parseJsonBytes } from './json-body.js';

type Texts = Readonly<Record<string, string>>;

export interface RequestParameters {
  readonly path: Texts;
  readonly querystring: Texts;
  readonly header: Texts;
  /** `$input.params('x')`: path, then query string, then header; null for none. */
  find(name: string): string | null;
}

/** Names as they are: case-sensitive. */
export class ParameterMaps implements RequestParameters {
  constructor(
    readonly path: Texts,
    readonly querystring: Texts,
    readonly header: Texts,
  ) {}

  find(name: string): string | null {
    for (const values of [this.path, this.querystring, this.header]) if (Object.hasOwn(values, name)) return values[name]!;
    return null;
  }
}

/** Characters of the paths that are kept: paths are mostly constants of templates, but may be built. */
const REMEMBERED_MAX = 100_000;
const paths = new Map<string, JsonPath>();
let remembered = 0;

function pathOf(text: string): JsonPath {
  let path = paths.get(text);
  if (path !== undefined) return path;
  path = JsonPath.parse(text);
  if (remembered + text.length > REMEMBERED_MAX) {
    paths.clear();
    remembered = 0;
  }
  paths.set(text, path);
  remembered += text.length;
  return path;
}

export class InputVariable extends JavaObject {
  /** Parsed when the first path asks. */
  #document: Value | undefined;
  #parameters: JavaMap | null = null;

  constructor(
    private readonly payload: string | Buffer,
    private readonly parameters: RequestParameters,
    private readonly budget: Budget,
  ) {
    super();
  }

  /** An empty payload reads as an empty object. */
  get #body(): string {
    const { payload } = this;
    if (payload.length === 0) return '{}';
    return typeof payload === 'string' ? payload : payload.toString('utf8');
  }

  override property(name: string): Value {
    return name === 'body' ? this.#body : null;
  }

  override call(method: string, values: readonly Value[]): Value | undefined {
    const [first] = values;
    if (method === 'params' && values.length === 0) return (this.#parameters ??= mapOfMaps(this.parameters));
    if (values.length !== 1 || typeof first !== 'string') return undefined;
    switch (method) {
      case 'path': {
        const selected = this.#select(first);
        return selected === MISSING ? null : selected;
      }
      case 'json': {
        const selected = this.#select(first);
        return selected === MISSING ? '""' : jsonText(selected, this.budget, false);
      }
      case 'params':
        return this.parameters.find(first) ?? '';
      default:
        return undefined;
    }
  }

  #select(path: string): Selected {
    try {
      return pathOf(path).select(this.#root(), this.budget);
    } catch (cause) {
      if (cause instanceof JsonPathError) throw new RenderFailure(cause.message);
      throw cause;
    }
  }

  #root(): Value {
    if (this.#document !== undefined) return this.#document;
    this.budget.step(this.payload.length >> 6);
    try {
      const { payload } = this;
      this.#document = typeof payload === 'string' || payload.length === 0 ? parseJson(this.#body) : parseJsonBytes(payload);
      return this.#document;
    } catch (cause) {
      if (cause instanceof JsonBodyError) throw new RenderFailure('Could not parse the body as JSON');
      throw cause;
    }
  }
}

function mapOfMaps(parameters: RequestParameters): JavaMap {
  const map = new JavaMap();
  for (const place of ['path', 'querystring', 'header'] as const) map.put(place, new TextMap(parameters[place]));
  return map;
}
