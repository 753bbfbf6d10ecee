/**
 * REST resource matching: which (resource path, verb) answers a request. Source: data-plane reference §2.2.
 *
 *   candidate    path and verb together; a resource without the verb does not hide a less specific one that has it
 *   order        literal > {param} > {proxy+} per segment, compared from the left
 *   ANY          stands for the seven verbs; on one resource an exact verb wins over it, between resources it counts in full
 *   absent       HEAD is never served by GET; nothing is decoded, nothing is case-folded
 *
 *                 ''
 *              /      \
 *          pets        {proxy+}      GET /pets/7/toys: pets -> {id} -> dead end, back to the root -> {proxy+}
 *         /    \
 *        6     {id}
 *
 * Every trie node belongs to one segment position, so a lookup visits each node at most once: backtracking is bounded by
 * the number of nodes and never multiplies.
 *
 * A route's ambiguity is refused when the router is built: the control plane allows one variable child per resource, so two
 * templates of the same shape and verb mean a broken snapshot.
 */
export interface RouteKey {
  /** Path template from the root: `/`, `/pets/{id}`, `/{proxy+}`. */
  readonly path: string;
  /** Upper-case verb, or `ANY`. */
  readonly httpMethod: string;
}

export interface Router {
  /** By route index: names of the path parameters in template order, without braces and `+`. */
  readonly paramNames: readonly (readonly string[])[];
  /**
   * Index into the routes the router was built from, or -1. `path` is the raw path below the stage. Parameter values go to
   * `params[0 .. paramNames[index].length)`, undecoded; later elements keep what they held.
   */
  match(httpMethod: string, path: string, params: string[]): number;
}

const VERBS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const;
const NO_ROUTE = -1;
const SLASH = 47;
/** Up to here a scan over the children is faster than a binary search; see router.bench.ts "wide node". */
const SCANNED_CHILDREN_MAX = 8;

interface TrieNode {
  /** Route index by verb (order of VERBS), ANY already spread; `null` when no route ends here. */
  readonly routes: number[] | null;
  /** Sorted by length, then by code units: the order `findLiteral` searches in. */
  readonly literals: readonly string[];
  readonly literalNodes: readonly TrieNode[];
  readonly param: TrieNode | null;
  /** Route index by verb of a `{proxy+}` child. */
  readonly greedy: number[] | null;
}

/** Throws an Error that names the route when a template is malformed or two routes cannot be told apart. */
export function buildRouter(routes: readonly RouteKey[]): Router {
  const drafts = new DraftTrie();
  const paramNames = routes.map((route, index) => drafts.add(route, index));
  return new TrieRouter(
    drafts.finish(),
    paramNames,
    routes.map((route) => paramPositions(route.path)),
  );
}

class TrieRouter implements Router {
  // Written by the search of the lookup in progress; a lookup is synchronous, so one set per router is enough.
  private path = '';
  /** End of the path without its trailing slashes. */
  private end = 0;
  private verb = 0;
  private readonly root: TrieNode;
  readonly paramNames: readonly (readonly string[])[];
  /** By route index: segment positions of the parameters; a negative one (`~position`) takes the rest of the path. */
  private readonly positions: readonly (readonly number[])[];

  constructor(root: TrieNode, paramNames: readonly (readonly string[])[], positions: readonly (readonly number[])[]) {
    this.root = root;
    this.paramNames = paramNames;
    this.positions = positions;
  }

  match(httpMethod: string, path: string, params: string[]): number {
    this.verb = verbIndex(httpMethod);
    if (this.verb === NO_ROUTE) return NO_ROUTE;
    let start = 0;
    let end = path.length;
    // Extra slashes before the first segment are ignored, as are trailing ones; inner ones are segments of no characters.
    while (start < end && path.charCodeAt(start) === SLASH) start++;
    while (end > start && path.charCodeAt(end - 1) === SLASH) end--;
    this.path = path;
    this.end = end;
    const index = this.search(this.root, start);
    if (index !== NO_ROUTE) this.readParams(this.positions[index]!, start, params);
    this.path = ''; // an idle API must not hold the last caller's text
    return index;
  }

  /** Best route for the segments from `start` on, or NO_ROUTE. `start` beyond the end means: no segment is left. */
  private search(from: TrieNode, start: number): number {
    let node = from;
    for (;;) {
      if (start >= this.end) return node.routes === null ? NO_ROUTE : node.routes[this.verb]!;
      const slash = this.path.indexOf('/', start);
      const segmentEnd = slash === -1 || slash > this.end ? this.end : slash;
      const literal = findLiteral(node, this.path, start, segmentEnd);
      const param = segmentEnd > start ? node.param : null;
      if (node.greedy === null && (literal === null || param === null)) {
        // No choice here: go down without a frame, so that long templates cost no stack.
        const only = literal ?? param;
        if (only === null) return NO_ROUTE;
        node = only;
        start = segmentEnd + 1;
        continue;
      }
      if (literal !== null) {
        const index = this.search(literal, segmentEnd + 1);
        if (index !== NO_ROUTE) return index;
      }
      if (param !== null) {
        const index = this.search(param, segmentEnd + 1);
        if (index !== NO_ROUTE) return index;
      }
      return node.greedy === null ? NO_ROUTE : node.greedy[this.verb]!;
    }
  }

  private readParams(positions: readonly number[], start: number, params: string[]): void {
    let segment = 0;
    for (let i = 0; i < positions.length; i++) {
      const position = positions[i]!;
      const wanted = position < 0 ? ~position : position;
      for (; segment < wanted; segment++) start = this.path.indexOf('/', start) + 1;
      const slash = position < 0 ? -1 : this.path.indexOf('/', start);
      params[i] = this.path.slice(start, slash === -1 || slash > this.end ? this.end : slash);
    }
  }
}

/** Indices are those of VERBS. A switch: V8 compares internalised strings by address, no hashing. */
function verbIndex(httpMethod: string): number {
  switch (httpMethod) {
    case 'DELETE':
      return 0;
    case 'GET':
      return 1;
    case 'HEAD':
      return 2;
    case 'OPTIONS':
      return 3;
    case 'PATCH':
      return 4;
    case 'POST':
      return 5;
    case 'PUT':
      return 6;
    default:
      return NO_ROUTE;
  }
}

function findLiteral(node: TrieNode, path: string, start: number, end: number): TrieNode | null {
  const literals = node.literals;
  if (literals.length <= SCANNED_CHILDREN_MAX) {
    for (let i = 0; i < literals.length; i++) {
      if (compareLiteral(literals[i]!, path, start, end) === 0) return node.literalNodes[i]!;
    }
    return null;
  }
  let low = 0;
  let high = literals.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compareLiteral(literals[middle]!, path, start, end);
    if (order === 0) return node.literalNodes[middle]!;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return null;
}

/** Sign of `literal - path[start, end)` in the order (length, code units); makes no string. */
function compareLiteral(literal: string, path: string, start: number, end: number): number {
  const difference = literal.length - (end - start);
  if (difference !== 0) return difference;
  for (let i = 0; i < literal.length; i++) {
    const order = literal.charCodeAt(i) - path.charCodeAt(start + i);
    if (order !== 0) return order;
  }
  return 0;
}

type Segment = { readonly kind: 'literal' | 'param' | 'greedy'; readonly text: string };

function parseTemplate(path: string): Segment[] {
  if (path === '/') return [];
  if (!path.startsWith('/')) throw new Error(`path template "${path}" does not start with "/"`);
  const parts = path.slice(1).split('/');
  return parts.map((part, i) => {
    if (part === '') throw new Error(`path template "${path}" has an empty segment`);
    if (!part.startsWith('{') || !part.endsWith('}')) return { kind: 'literal', text: part };
    const isGreedy = part.endsWith('+}');
    const name = part.slice(1, isGreedy ? -2 : -1);
    if (name === '') throw new Error(`path template "${path}" has a parameter without a name`);
    if (isGreedy && i < parts.length - 1) throw new Error(`path template "${path}" goes on after {${name}+}`);
    return { kind: isGreedy ? 'greedy' : 'param', text: name };
  });
}

function paramPositions(path: string): readonly number[] {
  return parseTemplate(path).flatMap((segment, position) =>
    segment.kind === 'literal' ? [] : [segment.kind === 'greedy' ? ~position : position],
  );
}

/** Verb (or ANY) to route index, before ANY is spread. */
type VerbTable = Map<string, number>;

class DraftNode {
  readonly literals = new Map<string, DraftNode>();
  param: DraftNode | null = null;
  readonly routes: VerbTable = new Map();
  readonly greedy: VerbTable = new Map();
}

class DraftTrie {
  private readonly root = new DraftNode();
  /** In order of creation: every node after its parent. */
  private readonly nodes: DraftNode[] = [this.root];

  /** Returns the route's parameter names. */
  add(route: RouteKey, index: number): readonly string[] {
    const segments = parseTemplate(route.path);
    if (route.httpMethod !== 'ANY' && verbIndex(route.httpMethod) === NO_ROUTE) {
      throw new Error(`route "${route.httpMethod} ${route.path}": not a verb API Gateway knows`);
    }
    let node = this.root;
    for (const segment of segments) {
      if (segment.kind === 'param') node = node.param ??= this.newNode();
      else if (segment.kind === 'literal') node = this.literalChild(node, segment.text);
    }
    const table = segments.at(-1)?.kind === 'greedy' ? node.greedy : node.routes;
    if (table.has(route.httpMethod)) throw new Error(`route "${route.httpMethod} ${route.path}" is there twice`);
    table.set(route.httpMethod, index);
    return segments.filter((segment) => segment.kind !== 'literal').map((segment) => segment.text);
  }

  finish(): TrieNode {
    const finished = new Map<DraftNode, TrieNode>();
    // Backwards, so that children come before their parents: no recursion, whatever the depth of a template.
    for (const draft of this.nodes.toReversed()) {
      const literals = [...draft.literals.keys()].sort((a, b) => compareLiteral(a, b, 0, b.length));
      finished.set(draft, {
        routes: spreadAny(draft.routes),
        literals,
        literalNodes: literals.map((literal) => finished.get(draft.literals.get(literal)!)!),
        param: draft.param === null ? null : finished.get(draft.param)!,
        greedy: spreadAny(draft.greedy),
      });
    }
    return finished.get(this.root)!;
  }

  private literalChild(node: DraftNode, text: string): DraftNode {
    const present = node.literals.get(text);
    if (present !== undefined) return present;
    const child = this.newNode();
    node.literals.set(text, child);
    return child;
  }

  private newNode(): DraftNode {
    const node = new DraftNode();
    this.nodes.push(node);
    return node;
  }
}

function spreadAny(table: VerbTable): number[] | null {
  if (table.size === 0) return null;
  const any = table.get('ANY') ?? NO_ROUTE;
  return VERBS.map((verb) => table.get(verb) ?? any);
}
