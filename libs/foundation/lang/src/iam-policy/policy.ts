/**
 * IAM policy documents (IAM guide, "IAM JSON policy element reference"): resource policies of APIs, what authorizers return, policies
 * of users. Parsed once to closures, evaluated for each request.
 *
 *   an explicit Deny wins over every Allow; without either nothing is said
 */
import { compileConditions, type Condition } from './conditions.js';
import { PolicyError } from './policy-error.js';
import { compilePrincipals, type Caller, type CallerTest } from './principals.js';
import { TextPattern, type KeyValues } from './wildcard.js';

/** What a policy says of a request: numbers, compared for each one. */
export const NO_MATCH = 0;
export const ALLOWED = 1;
export const DENIED = 2;
export type PolicyDecision = typeof NO_MATCH | typeof ALLOWED | typeof DENIED;

export interface PolicyRequest {
  /** E.g. `execute-api:Invoke`. */
  readonly action: string;
  /** ARN. */
  readonly resource: string;
  /** Asked by resource policies only. */
  readonly caller: Caller;
  readonly values: KeyValues;
}

export interface PolicySettings {
  /** A resource policy says who may; an identity policy belongs to somebody. */
  readonly kind: 'resource' | 'identity';
  /** What `execute-api:/stage/...` stands for up to the slash: `arn:aws:execute-api:{region}:{account}:{api}`. */
  readonly apiArn?: string;
}

const MEMBERS = ['Version', 'Id', 'Statement'];
const STATEMENT_MEMBERS = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];
const VERSIONS = ['2012-10-17', '2008-10-17'];

interface Statement {
  readonly isDeny: boolean;
  readonly holds: (request: PolicyRequest) => boolean;
  readonly concernsAction: TextTest;
  /** Of the actions it concerns it speaks whatever the rest of the request is. */
  readonly isUnlimited: boolean;
}

export class Policy {
  private constructor(private readonly statements: readonly Statement[]) {}

  /** `document` as JSON.parse returns it. Throws PolicyError. */
  static compile(document: unknown, settings: PolicySettings): Policy {
    const members = readObject(document, 'the policy');
    checkMembers(members, MEMBERS);
    const version = members['Version'] ?? '2008-10-17';
    if (!VERSIONS.includes(version as string)) throw new PolicyError(`Version is none of ${VERSIONS.join(', ')}`);
    if (members['Statement'] === undefined) throw new PolicyError('there is no Statement');
    const statements: readonly unknown[] = Array.isArray(members['Statement']) ? members['Statement'] : [members['Statement']];
    return new Policy(
      statements.map((statement, i) => {
        try {
          return compileStatement(readObject(statement, 'it'), version === '2012-10-17', settings);
        } catch (error) {
          if (error instanceof PolicyError) throw new PolicyError(`statement ${i + 1}: ${error.message}`);
          throw error;
        }
      }),
    );
  }

  evaluate(request: PolicyRequest): PolicyDecision {
    let decision: PolicyDecision = NO_MATCH;
    for (const { isDeny, holds } of this.statements) {
      if ((!isDeny && decision === ALLOWED) || !holds(request)) continue;
      if (isDeny) return DENIED;
      decision = ALLOWED;
    }
    return decision;
  }

  /** What it says of an action on every resource, whoever asks and from where; `null` when it does not say the same of all. */
  evaluateAll(action: string): PolicyDecision | null {
    let decision: PolicyDecision = NO_MATCH;
    for (const { isDeny, concernsAction, isUnlimited } of this.statements) {
      if (!concernsAction(action, NO_VALUES)) continue;
      if (!isUnlimited) return null;
      if (isDeny) return DENIED;
      decision = ALLOWED;
    }
    return decision;
  }

  /** Index of the statement that denies the request, for whoever has to be told; -1 when none does. */
  denyingStatement(request: PolicyRequest): number {
    return this.statements.findIndex(({ isDeny, holds }) => isDeny && holds(request));
  }
}

const NO_VALUES: KeyValues = () => null;

type Members = Readonly<Record<string, unknown>>;

function compileStatement(members: Members, hasVariables: boolean, { kind, apiArn }: PolicySettings): Statement {
  checkMembers(members, STATEMENT_MEMBERS);
  const { Effect: effect, Sid: sid } = members;
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicyError('Effect is neither Allow nor Deny');
  if (sid !== undefined && typeof sid !== 'string') throw new PolicyError('Sid is no text');
  const concerns = compileCallers(members, kind);
  const actions = rememberingLast(
    compileTexts(members, 'Action', (text) => {
      if (text !== '*' && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(text)) throw new PolicyError(`invalid action "${text}"`);
      return new TextPattern(text, { ignoresCase: true, hasWildcards: true, hasVariables: false });
    }),
  );
  const resources = compileTexts(members, 'Resource', (text) => {
    const resource = apiArn !== undefined && text.startsWith('execute-api:/') ? apiArn + text.slice('execute-api:'.length) : text;
    return new TextPattern(resource, { ignoresCase: false, hasWildcards: true, hasVariables });
  });
  const conditions = compileConditions(members['Condition'], hasVariables);
  return {
    isDeny: effect === 'Deny',
    concernsAction: actions,
    isUnlimited: concerns === null && conditions.length === 0 && namesEverything(members['Resource']),
    holds: (request) =>
      actions(request.action, request.values) &&
      resources(request.resource, request.values) &&
      (concerns === null || concerns(request.caller)) &&
      all(conditions, request.values),
  };
}

/** `null` for an identity policy: it is about whose it is. */
function compileCallers(
  { Principal: principal, NotPrincipal: others }: Members,
  kind: PolicySettings['kind'],
): CallerTest | null {
  if (kind === 'identity') {
    if (principal !== undefined || others !== undefined) throw new PolicyError('Principal stands in resource policies only');
    return null;
  }
  if ((principal === undefined) === (others === undefined))
    throw new PolicyError('exactly one of Principal and NotPrincipal is needed');
  if (principal !== undefined) return compilePrincipals(principal);
  const excepted = compilePrincipals(others);
  return (caller) => !excepted(caller);
}

const namesEverything = (resources: unknown): boolean => (Array.isArray(resources) ? resources : [resources]).includes('*');

type TextTest = (text: string, values: KeyValues) => boolean;

/** For a test that goes by the text alone: whoever asks policies asks for one action, request after request. */
function rememberingLast(test: TextTest): TextTest {
  let last: string | null = null;
  let outcome = false;
  return (text, values) => {
    if (text !== last) [last, outcome] = [text, test(text, values)];
    return outcome;
  };
}

/** `name` or its opposite, `Not...`: exactly one of them. */
function compileTexts(members: Members, name: 'Action' | 'Resource', compile: (text: string) => TextPattern): TextTest {
  const own = members[name];
  const opposite = members[`Not${name}`];
  if ((own === undefined) === (opposite === undefined)) throw new PolicyError(`exactly one of ${name} and Not${name} is needed`);
  const given = own ?? opposite;
  const texts: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (texts.length === 0) throw new PolicyError(`${name} is empty`);
  const patterns = texts.map((text) => {
    if (typeof text !== 'string' || text === '') throw new PolicyError(`${name} is no text`);
    return compile(text);
  });
  const isOneOf: TextTest = (text, values) => {
    for (const pattern of patterns) if (pattern.matches(text, values)) return true;
    return false;
  };
  if (own !== undefined) return isOneOf;
  // What cannot be said to be excepted is not let in by that; it is kept out by it.
  const isDeny = members['Effect'] === 'Deny';
  return (text, values) => !isOneOf(text, values) && (isDeny || patterns.every((pattern) => pattern.isDecided(values)));
}

function all(conditions: readonly Condition[], values: KeyValues): boolean {
  for (const holds of conditions) if (!holds(values)) return false;
  return true;
}

function readObject(value: unknown, what: string): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members;
  throw new PolicyError(`${what} is no object`);
}

function checkMembers(members: Members, known: readonly string[]): void {
  for (const name of Object.keys(members)) if (!known.includes(name)) throw new PolicyError(`unknown member "${name}"`);
}
