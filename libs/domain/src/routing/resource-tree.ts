/**
 * The resources of one API, as the tree their paths describe. Holds these invariants, whatever is asked of it:
 * every path is its parent's path and its own part; siblings have different parts, at most one of them variable; nothing
 * stands below a greedy part; the root stays where it is.
 */
import { badRequest, conflict, notFound } from '../errors.js';
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
  readonly #byId: ReadonlyMap<string, Resource>;

  constructor(readonly resources: readonly Resource[]) {
    this.#byId = new Map(resources.map((resource) => [resource.id, resource]));
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

  childrenOf(resourceId: string): Resource[] {
    return this.resources.filter((resource) => resource.parentId === resourceId);
  }

  /** The resource and everything below it, parents before children. */
  subtree(root: Resource): Resource[] {
    const found = [root];
    // `found` grows while the loop runs: each resource appends its children.
    for (const resource of found) found.push(...this.childrenOf(resource.id));
    return found;
  }

  /** A new child. Throws when there is no such parent, or the parent cannot have this child. */
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
    const siblings = this.childrenOf(parent.id).filter((sibling) => sibling.id !== moving?.id);
    if (siblings.some((sibling) => sibling.pathPart === pathPart)) {
      throw conflict(`Another resource with the same parent already has this name: ${pathPart}`);
    }
    const variable = siblings.find((sibling) => isVariable(sibling.pathPart ?? ''));
    if (variable !== undefined && isVariable(pathPart)) {
      throw badRequest(
        `A sibling (${variable.pathPart}) of this resource already has a variable path part -- only one is allowed`,
      );
    }
  }
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
