/**
 * The resources of one API, as the tree their paths describe. Holds these invariants, whatever is asked of it:
 * every path is its parent's path and its own part; siblings have different parts, at most one of them variable; nothing
 * stands below a greedy part; the root stays where it is.
 */
import { badRequest, conflict, notFound } from '../errors.js';
import { checkRoomAsAws, type Quotas } from '../tenancy/quotas.js';
import type { Resource } from '../rest-apis/rest-api.js';
import { checkPathPart, isGreedy, isVariable } from './path-part.js';

/** Where a resource stands: what a move changes. */
export interface Place {
  readonly parentId: string | null;
  readonly pathPart: string | null;
}

/** Ours: a path has to fit into a method's ARN, which has 1,600 bytes on AWS, with room for the rest of it. */
const PATH_CHARS_MAX = 1024;

export class ResourceTree {
  readonly #byId = new Map<string, Resource>();
  readonly #children = new Map<string, Resource[]>();

  constructor(resources: readonly Resource[]) {
    for (const resource of resources) this.add(resource);
  }

  get resources(): Resource[] {
    return [...this.#byId.values()];
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Takes in a resource that `grow` made. */
  add(resource: Resource): void {
    this.#byId.set(resource.id, resource);
    if (resource.parentId === null) return;
    const siblings = this.#children.get(resource.parentId);
    if (siblings === undefined) this.#children.set(resource.parentId, [resource]);
    else siblings.push(resource);
  }

  find(resourceId: string): Resource | null {
    return this.#byId.get(resourceId) ?? null;
  }

  /** Throws NotFound. */
  get(resourceId: string): Resource {
    const resource = this.find(resourceId);
    if (resource === null) throw unknownResource();
    return resource;
  }

  childrenOf(resourceId: string): readonly Resource[] {
    return this.#children.get(resourceId) ?? [];
  }

  /** The resource and everything below it, parents before children. */
  subtree(root: Resource): Resource[] {
    const found = [root];
    // `found` grows while the loop runs: each resource appends its children.
    for (const resource of found) found.push(...this.childrenOf(resource.id));
    return found;
  }

  /** A new child, not yet in the tree. Throws when there is no such parent, or the parent cannot have this child. */
  grow(parentId: string, id: string, pathPart: string): Resource {
    const parent = this.get(parentId);
    this.#checkChild(parent, checkPathPart(pathPart), null);
    return checkLength({ apiId: parent.apiId, id, parentId, pathPart, path: join(parent.path, pathPart) });
  }

  /** What changes when the resource goes to `place`: itself and all below it, parents first. Empty when it stands there already. */
  move(resource: Resource, place: Place): Resource[] {
    const { parentId, pathPart } = place;
    if (parentId === resource.parentId && pathPart === resource.pathPart) return [];
    if (resource.parentId === null)
      throw badRequest(`Root resource cannot update its ${parentId === null ? 'pathPart' : 'parentId'}.`);
    const subtree = this.subtree(resource);
    const parent = this.get(parentId ?? '');
    if (subtree.includes(parent)) throw badRequest('Resources cannot be cyclical.');
    const part = checkPathPart(pathPart ?? '');
    if (isGreedy(part) && subtree.length > 1) throw belowGreedy(part);
    this.#checkChild(parent, part, resource);
    const path = join(parent.path, part);
    return subtree.map((moved) => {
      const changed = { ...moved, path: path + moved.path.slice(resource.path.length) };
      return checkLength(moved === resource ? { ...changed, parentId: parent.id, pathPart: part } : changed);
    });
  }

  #checkChild(parent: Resource, pathPart: string, moving: Resource | null): void {
    if (parent.pathPart !== null && isGreedy(parent.pathPart)) throw belowGreedy(parent.pathPart);
    // An import grows thousands of siblings: nothing is copied on the way.
    for (const sibling of this.childrenOf(parent.id)) {
      if (sibling.id === moving?.id) continue;
      if (sibling.pathPart === pathPart)
        throw conflict(`Another resource with the same parent already has this name: ${pathPart}`);
    }
    if (!isVariable(pathPart)) return;
    const variable = this.childrenOf(parent.id).find(
      (sibling) => sibling.id !== moving?.id && isVariable(sibling.pathPart ?? ''),
    );
    if (variable !== undefined) {
      throw badRequest(
        `A sibling (${variable.pathPart}) of this resource already has a variable path part -- only one is allowed`,
      );
    }
  }
}

/** Throws LimitExceeded when an API of `count` resources may have no more. */
export function checkResourceCount(count: number, quotas: Quotas): void {
  checkRoomAsAws(
    quotas,
    'resources',
    count,
    // The two spaces are AWS's.
    'Maximum number of Resources for this API has been reached.  Please contact AWS if you need additional Resources.',
  );
}

export const unknownResource = (): Error => notFound('Invalid Resource identifier specified');

const belowGreedy = (pathPart: string): Error =>
  badRequest(`Cannot create a child of a resource with a greedy path variable: ${pathPart}`);

const join = (parentPath: string, pathPart: string): string =>
  parentPath === '/' ? `/${pathPart}` : `${parentPath}/${pathPart}`;

function checkLength(resource: Resource): Resource {
  if (resource.path.length > PATH_CHARS_MAX)
    throw badRequest(`Resource path exceeds maximum size of ${PATH_CHARS_MAX} characters`);
  return resource;
}
