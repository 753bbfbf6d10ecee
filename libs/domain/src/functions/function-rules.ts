/** What a function's configuration may hold. Texts are Lambda's. */
import { ApiError, validationError } from '../errors.js';

const invalid = (message: string): ApiError => new ApiError('InvalidParameterValueException', 400, message);

const ROLE = /^arn:(?:aws[a-zA-Z-]*)?:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/;
const ENVIRONMENT_NAME = /^[a-zA-Z]([a-zA-Z0-9_])+$/;
const ENVIRONMENT_BYTES_MAX = 4096;
/** Lambda guide, "Defined runtime environment variables", reserved. */
const RESERVED_NAMES = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SECRET_KEY',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
]);

export interface FunctionSettings {
  readonly role: string;
  readonly runtime: string;
  readonly handler: string;
  readonly description: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly ephemeralStorageMb: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** All violations of one kind together, as Lambda reports them. */
export function checkFunctionSettings(settings: FunctionSettings): void {
  const violations = [
    ...pattern('role', settings.role, ROLE, 'arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+'),
    ...pattern('handler', settings.handler, /^\S{1,128}$/, '[^\\s]+'),
    ...length('description', settings.description, 256),
    ...range('timeout', settings.timeoutSeconds, 1, 900),
    ...range('memorySize', settings.memoryMb, 128, 10_240),
    ...range('ephemeralStorage.size', settings.ephemeralStorageMb, 512, 10_240),
    ...Object.keys(settings.environment)
      .filter((name) => !ENVIRONMENT_NAME.test(name) && !RESERVED_NAMES.has(name))
      .map(
        (name) =>
          `Value '${name}' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: ` +
          `[Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]`,
      ),
  ];
  throwAll(violations);
  checkRuntime(settings.runtime);
  checkEnvironment(settings.environment);
}

function checkRuntime(runtime: string): void {
  if (/^(?:nodejs\d|python3\.|provided)/.test(runtime)) return;
  throw invalid(`The runtime parameter of ${runtime} is not supported by this gateway. Use nodejs*, python3.* or provided*.`);
}

function checkEnvironment(environment: Readonly<Record<string, string>>): void {
  const reserved = Object.keys(environment).filter((name) => RESERVED_NAMES.has(name));
  if (reserved.length > 0) {
    throw invalid(
      'Lambda was unable to configure your environment variables because the environment variables you have provided contains ' +
        `reserved keys that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    );
  }
  if (Buffer.byteLength(JSON.stringify(environment)) > ENVIRONMENT_BYTES_MAX) {
    throw invalid(
      'Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.',
    );
  }
}

export function checkArchitectures(architectures: readonly string[]): void {
  if (architectures.length === 1) return;
  const bound = architectures.length === 0 ? 'greater' : 'less';
  throw validationError(
    `1 validation error detected: Value '[${architectures.join(', ')}]' at 'architectures' failed to satisfy constraint: ` +
      `Member must have length ${bound} than or equal to 1`,
  );
}

/** Left for functions without a reservation: 100. Lambda guide, "Configuring reserved concurrency". */
const RESERVABLE_MAX = 900;
export function checkReservedConcurrency(count: number): void {
  throwAll(range('reservedConcurrentExecutions', count, 0, Number.MAX_SAFE_INTEGER));
  if (count <= RESERVABLE_MAX) return;
  throw invalid(
    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
  );
}

export function checkAliasName(name: string): void {
  throwAll(pattern('name', name, /^(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}$/, '(?!^[0-9]+$)([a-zA-Z0-9-_]+)'));
}

export function checkStatementId(id: string): void {
  throwAll(pattern('statementId', id, /^[a-zA-Z0-9-_]{1,100}$/, '([a-zA-Z0-9-_]+)'));
}

/** The condition of a statement; an ARN may hold `*` in its last part. */
export function checkPermissionSource(sourceArn: string | null, sourceAccount: string | null): void {
  throwAll([
    ...(sourceArn === null
      ? []
      : pattern(
          'sourceArn',
          sourceArn,
          /^arn:aws[a-zA-Z0-9-]*:[a-zA-Z0-9-]+:(?:[a-z]{2}(?:-gov)?-[a-z]+-\d)?:(?:\d{12})?:.*$/,
          SOURCE_ARN_PRINTED,
        )),
    ...(sourceAccount === null ? [] : pattern('sourceAccount', sourceAccount, /^\d{12}$/, '\\d{12}')),
  ]);
}
const SOURCE_ARN_PRINTED = 'arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}(-gov)?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)';

export function checkPermissionAction(action: string): void {
  throwAll(pattern('action', action, /^(?:lambda:\*|lambda:[a-zA-Z]+|\*)$/, '(lambda:[*]|lambda:[a-zA-Z]+|[*])'));
}

/** `additional`: version to share of calls. */
export function checkAliasRouting(functionVersion: string, additional: Readonly<Record<string, number>>): void {
  const versions = Object.keys(additional);
  if (versions.length === 0) return;
  if (versions.length > 1) throw invalid('Number of items in AdditionalVersionWeights cannot be greater than 1');
  if (functionVersion === '$LATEST' || versions.includes('$LATEST')) {
    throw invalid('$LATEST is not supported for an alias pointing to more than 1 version');
  }
  for (const [version, weight] of Object.entries(additional)) {
    if (version === functionVersion)
      throw invalid(
        `Invalid function version ${version}. Function version ${version} is already included in routing configuration.`,
      );
    if (!(weight >= 0 && weight <= 1)) {
      throw validationError(
        `1 validation error detected: Value '{${version}=${weight}}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: ` +
          'Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0]',
      );
    }
  }
}

const TAGS_MAX = 50;
export function checkFunctionTags(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > TAGS_MAX) throw invalid(`The number of tags exceeds the limit of ${TAGS_MAX}.`);
  for (const [name, value] of Object.entries(tags)) {
    // The store's JSON library drops it without a word.
    if (name === '__proto__') throw invalid(`Invalid tag "${name}": this name cannot be stored.`);
    if (name.length < 1 || name.length > 128 || value.length > 256 || name.startsWith('aws:')) {
      throw invalid(
        `Invalid tag ${JSON.stringify(name)}: keys have 1 to 128 characters and do not start with "aws:", values have at most 256.`,
      );
    }
  }
}

function throwAll(violations: readonly string[]): void {
  if (violations.length === 0) return;
  const head = violations.length === 1 ? '1 validation error detected' : `${violations.length} validation errors detected`;
  throw validationError(`${head}: ${violations.join('; ')}`);
}

function pattern(name: string, value: string, accepted: RegExp, printed: string): string[] {
  if (accepted.test(value)) return [];
  return [
    `Value '${value}' at '${name}' failed to satisfy constraint: Member must satisfy regular expression pattern: ${printed}`,
  ];
}

function length(name: string, value: string, max: number): string[] {
  if (value.length <= max) return [];
  return [`Value '${value}' at '${name}' failed to satisfy constraint: Member must have length less than or equal to ${max}`];
}

function range(name: string, value: number, min: number, max: number): string[] {
  if (!Number.isInteger(value) || value < min)
    return [`Value '${value}' at '${name}' failed to satisfy constraint: Member must have value greater than or equal to ${min}`];
  if (value > max)
    return [`Value '${value}' at '${name}' failed to satisfy constraint: Member must have value less than or equal to ${max}`];
  return [];
}
