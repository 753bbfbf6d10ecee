/**
 * The constraints AWS checks before a handler sees the input, with their exact texts: control-plane reference §4.4,
 * "ValidationException pattern". All violations of a request are answered together.
 */
import type { OperationModel, ServiceModel } from './model.js';
import { ProtocolError } from './protocol-error.js';

/** The order AWS prints these sets in; the models carry no order. */
const PRINTED_ORDER: Readonly<Record<string, readonly string[]>> = {
  Op: ['add', 'remove', 'move', 'test', 'replace', 'copy'],
  IntegrationType: ['HTTP', 'MOCK', 'AWS_PROXY', 'HTTP_PROXY', 'AWS'],
  EndpointType: ['PRIVATE', 'EDGE', 'REGIONAL'],
  DocumentationPartType: [
    'RESPONSE_BODY',
    'RESPONSE',
    'METHOD',
    'MODEL',
    'AUTHORIZER',
    'RESPONSE_HEADER',
    'RESOURCE',
    'PATH_PARAMETER',
    'REQUEST_BODY',
    'QUERY_PARAMETER',
    'API',
    'REQUEST_HEADER',
  ],
};

const STATUS_CODE = /^[1-5]\d\d$/;

export class Constraints {
  private readonly violations: string[] = [];
  private readonly bodyPrefix: string;

  constructor(
    private readonly service: ServiceModel,
    operation: OperationModel,
  ) {
    // Lambda names members alone; API Gateway names the input shape first.
    this.bodyPrefix = service.id === 'Lambda' ? '' : `${lowerFirst(operation.name)}Input.`;
  }

  /** The name of a body member as messages address it. */
  bodyPath(wireName: string): string {
    return `${this.bodyPrefix}${lowerFirst(wireName)}`;
  }

  checkPresent(value: unknown, path: string): void {
    if (value === undefined)
      this.violations.push(`Value null at '${path}' failed to satisfy constraint: Member must not be null`);
  }

  checkEnum(value: string, enumName: string, path: string): void {
    if (this.valuesOf(enumName).includes(value)) return;
    // The one enum whose members are also ARNs: Lambda answers it from its own code.
    if (this.service.id === 'Lambda' && enumName === 'Runtime') {
      throw new ProtocolError(
        'InvalidParameterValueException',
        400,
        `Value ${value} at '${path}' failed to satisfy constraint: ${this.enumText(enumName)} or be a valid ARN`,
      );
    }
    this.violations.push(`Value '${value}' at '${path}' failed to satisfy constraint: ${this.enumText(enumName)}`);
  }

  checkEnumList(values: readonly string[], enumName: string, path: string): void {
    if (values.every((value) => this.valuesOf(enumName).includes(value))) return;
    this.violations.push(
      `Value '[${values.join(', ')}]' at '${path}' failed to satisfy constraint: Member must satisfy constraint: ` +
        `[${this.enumText(enumName)}]`,
    );
  }

  /** v1's StatusCode shape; the SDK's schemas do not carry its pattern. */
  checkStatusCode(value: unknown, path: string): void {
    if (this.service.id !== 'ApiGateway' || typeof value !== 'string' || STATUS_CODE.test(value)) return;
    this.violations.push(
      `Value '${value}' at '${path}' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\\d\\d`,
    );
  }

  throwIfViolated(): void {
    const count = this.violations.length;
    if (count === 0) return;
    const counted = count === 1 ? '1 validation error' : `${count} validation errors`;
    throw new ProtocolError('ValidationException', 400, `${counted} detected: ${this.violations.join('; ')}`);
  }

  private valuesOf(enumName: string): readonly string[] {
    return this.service.enums[enumName]!;
  }

  private enumText(enumName: string): string {
    const known = this.valuesOf(enumName);
    const printed = PRINTED_ORDER[enumName];
    const values = printed?.length === known.length && printed.every((value) => known.includes(value)) ? printed : known;
    return `Member must satisfy enum value set: [${values.join(', ')}]`;
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
