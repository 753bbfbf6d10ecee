/**
 * Finds the operation of a request. The paths of all services stand in one tree, since their first segments tell them apart:
 *
 *   /restapis/{restApiId}      v1         literal children, one label child per node
 *   /v2/apis/{ApiId}           v2         leaf: verb -> operations, those with more fixed query parameters first,
 *   /2015-03-31/functions      Lambda           so that POST /restapis?mode=import is tried before POST /restapis
 *
 * Segments are decoded after splitting, so an encoded slash stays inside its label.
 */
import type { OperationModel, ServiceModel } from './model.js';
import { decodePercent, type QueryParameter } from './query.js';

export interface OperationMatch {
  readonly service: ServiceModel;
  readonly operation: OperationModel;
  readonly labels: Readonly<Record<string, string>>;
}

interface Target {
  readonly service: ServiceModel;
  readonly operation: OperationModel;
  readonly labelNames: readonly string[];
  readonly fixedQuery: readonly QueryParameter[];
}

class PathNode {
  readonly literals = new Map<string, PathNode>();
  label: PathNode | null = null;
  /** `{name+}`: takes all that is left. */
  readonly greedyTargets = new Map<string, Target[]>();
  readonly targets = new Map<string, Target[]>();
}

export class OperationRouter {
  private readonly root = new PathNode();

  constructor(services: readonly ServiceModel[]) {
    for (const service of services) {
      for (const operation of Object.values(service.operations)) this.add(service, operation);
    }
  }

  /** `rawSegments` are still percent-encoded. `null` when no operation answers there. */
  match(httpMethod: string, rawSegments: readonly string[], query: readonly QueryParameter[]): OperationMatch | null {
    const segments = rawSegments.map(decodePercent);
    return find(this.root, segments, 0, [], (targets, values) => {
      const target = targets.get(httpMethod)?.find(({ fixedQuery }) => fixedQuery.every((fixed) => hasParameter(query, fixed)));
      if (target === undefined) return null;
      const labels = Object.fromEntries(target.labelNames.map((name, index) => [name, values[index]!]));
      return { service: target.service, operation: target.operation, labels };
    });
  }

  private add(service: ServiceModel, operation: OperationModel): void {
    const [path, query = ''] = operation.uri.split('?') as [string, string?];
    const labelNames: string[] = [];
    const fixedQuery = query === '' ? [] : query.split('&').map((part) => part.split('=') as unknown as QueryParameter);
    let node = this.root;
    let isGreedy = false;
    for (const segment of path.split('/').filter((part) => part !== '')) {
      const label = /^\{([^+}]+)(\+?)\}$/.exec(segment);
      if (label === null) {
        const next = node.literals.get(segment) ?? new PathNode();
        node.literals.set(segment, next);
        node = next;
        continue;
      }
      labelNames.push(label[1]!);
      isGreedy = label[2] === '+';
      if (!isGreedy) node = node.label ??= new PathNode();
    }
    const targets = isGreedy ? node.greedyTargets : node.targets;
    const list = targets.get(operation.httpMethod) ?? [];
    list.push({ service, operation, labelNames, fixedQuery });
    list.sort((a, b) => b.fixedQuery.length - a.fixedQuery.length);
    targets.set(operation.httpMethod, list);
  }
}

/** A literal wins over a label, but only where the rest of the path fits as well. */
function find(
  node: PathNode,
  segments: readonly string[],
  index: number,
  values: readonly string[],
  accept: (targets: ReadonlyMap<string, readonly Target[]>, values: readonly string[]) => OperationMatch | null,
): OperationMatch | null {
  const segment = segments[index];
  if (segment === undefined) return accept(node.targets, values);
  const literal = node.literals.get(segment);
  return (
    (literal ? find(literal, segments, index + 1, values, accept) : null) ??
    (node.label ? find(node.label, segments, index + 1, [...values, segment], accept) : null) ??
    accept(node.greedyTargets, [...values, segments.slice(index).join('/')])
  );
}

function hasParameter(query: readonly QueryParameter[], [name, value]: QueryParameter): boolean {
  return query.some((parameter) => parameter[0] === name && parameter[1] === value);
}
