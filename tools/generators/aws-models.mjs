/**
 * Writes libs/aws-api/src/gen from the service models that the AWS SDK clients carry in their schemas: operations, shapes,
 * bindings, enums, error statuses and the TypeScript types of all of them. Names and types only; no documentation text.
 *
 *   SDK schemas (runtime values)  ->  bindings, wire names, required, statuses
 *   SDK declaration files (ts3.4, which carry no comments)  ->  which string members are enums
 *
 * The output depends on the pinned SDK versions alone: `npm run regenerate:check` proves that nothing was edited by hand.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NormalizedSchema } from '@smithy/core/schema';

const require = createRequire(import.meta.url);
/** Another folder may be named, to compare without writing: src/aws-models.spec.ts. */
const target = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '../../libs/aws-api/src/gen');

const SERVICES = [
  { file: 'api-gateway', id: 'ApiGateway', sdk: '@aws-sdk/client-api-gateway', signingName: 'apigateway' },
  { file: 'api-gateway-v2', id: 'ApiGatewayV2', sdk: '@aws-sdk/client-apigatewayv2', signingName: 'apigateway' },
  {
    file: 'api-gateway-management',
    id: 'ApiGatewayManagement',
    sdk: '@aws-sdk/client-apigatewaymanagementapi',
    signingName: 'execute-api',
  },
  { file: 'lambda', id: 'Lambda', sdk: '@aws-sdk/client-lambda', signingName: 'lambda' },
];

// The schemas know one kind of number. These members take fractions; all others are whole.
const DOUBLES = new Set([
  'AdditionalVersionWeights',
  'ExecutionEnvironmentMemoryGiBPerVCpu',
  'TargetValue',
  'ThrottlingRateLimit',
  'percentTraffic',
  'rateLimit',
  'throttlingRateLimit',
]);

// Required in the model, but real clients leave it out: Terraform for authorizers without identity sources.
const OPTIONAL_IN_PRACTICE = new Set(['CreateAuthorizerRequest.IdentitySource']);

const OPERATION = 9;
const ERROR = -3;

mkdirSync(target, { recursive: true });
for (const service of SERVICES) {
  writeFileSync(join(target, `${service.file}.ts`), render(service, readModel(service)));
}

function readModel({ sdk }) {
  const exported = require(sdk);
  const enums = enumsOf(exported);
  const enumMembers = enumMembersOf(sdk, enums);
  const operations = [];
  const errors = [];
  const shapes = new Map();

  const visit = (schema, role) => {
    const ns = NormalizedSchema.of(schema);
    const name = ns.getName().split('#')[1] ?? ns.getName();
    const known = shapes.get(name);
    if (known !== undefined && known.roles.has(role)) return name;
    const shape = known ?? { name, roles: new Set(), members: [] };
    shapes.set(name, shape);
    shape.roles.add(role);
    const requiredCount = ns.getSchema()[6] ?? 0;
    const members = [];
    for (const [memberName, member] of ns.structIterator()) {
      const isRequired = members.length < requiredCount && !OPTIONAL_IN_PRACTICE.has(`${name}.${memberName}`);
      members.push(readMember(name, memberName, member, isRequired, role));
    }
    if (known !== undefined && JSON.stringify(known.members) !== JSON.stringify(members)) {
      throw new Error(`${name} binds its members differently as ${[...shape.roles].join(' and ')}`);
    }
    shape.members = members;
    return name;
  };

  const readMember = (shapeName, name, schema, isRequired, role) => {
    const traits = schema.getMergedTraits();
    const { binding, wireName } = bindingOf(name, traits, role);
    const enumName = enumMembers.get(`${shapeName}.${name}`);
    return { name, binding, wireName, type: readType(schema, { name, binding, enumName }), isRequired };
  };

  const readType = (schema, member) => {
    if (schema.isListSchema()) return { list: readType(schema.getValueSchema(), member) };
    if (schema.isMapSchema()) return { map: readType(schema.getValueSchema(), member) };
    if (schema.isUnionSchema() || schema.isStructSchema()) return { shape: visit(schema.getSchema(), 'nested') };
    if (schema.isTimestampSchema()) return timestampFormat(schema.getSchema(), member.binding);
    if (schema.isBlobSchema()) return 'blob';
    if (schema.isBooleanSchema()) return 'boolean';
    if (schema.isNumericSchema()) return DOUBLES.has(member.name) ? 'double' : 'integer';
    if (schema.isStringSchema()) return member.enumName === undefined ? 'string' : { enum: member.enumName };
    throw new Error(`no reading for schema ${JSON.stringify(schema.getSchema())}`);
  };

  for (const schema of Object.values(exported)) {
    if (!Array.isArray(schema)) continue;
    if (schema[0] === OPERATION) {
      const [, , name, , input, output] = schema;
      const [httpMethod, uri, status] = NormalizedSchema.of(schema).getMergedTraits().http;
      const shapeOf = (thunk, role) => (thunk() === 'unit' ? null : visit(thunk(), role));
      operations.push({ name, httpMethod, uri, status, input: shapeOf(input, 'input'), output: shapeOf(output, 'output') });
    } else if (schema[0] === ERROR && !schema[1].startsWith('smithy.ts.sdk.synthetic')) {
      errors.push({
        name: schema[2],
        status: NormalizedSchema.of(schema).getMergedTraits().httpError,
        shape: visit(schema, 'output'),
      });
    }
  }
  const byName = (a, b) => (a.name < b.name ? -1 : 1);
  return {
    operations: operations.sort(byName),
    errors: errors.sort(byName),
    shapes: [...shapes.values()].sort(byName),
    enums,
  };
}

// Bindings count where they can: `position` of a v1 list is a query parameter of the request and a body member of the answer,
// by one and the same trait; below the top level there is only JSON.
function bindingOf(name, traits, role) {
  if (role === 'nested') return { binding: 'body', wireName: traits.jsonName ?? name };
  if (role === 'input') {
    if (traits.httpLabel) return { binding: 'label', wireName: name };
    if (traits.httpQuery) return { binding: 'query', wireName: traits.httpQuery };
    if (traits.httpQueryParams) return { binding: 'queryParams', wireName: name };
  }
  if (traits.httpHeader) return { binding: 'header', wireName: traits.httpHeader.toLowerCase() };
  if (traits.httpPayload) return { binding: 'payload', wireName: name };
  if (traits.httpResponseCode) return { binding: 'statusCode', wireName: name };
  return { binding: 'body', wireName: traits.jsonName ?? name };
}

// Without a timestampFormat trait the place decides: restJson1, "Timestamp formats".
function timestampFormat(schema, binding) {
  const DEFAULT = 4;
  const FORMATS = { 5: 'isoDateTime', 6: 'httpDate', 7: 'epochSeconds' };
  if (schema !== DEFAULT) return FORMATS[schema];
  return (
    { header: 'httpDate', query: 'isoDateTime', queryParams: 'isoDateTime', label: 'isoDateTime' }[binding] ?? 'epochSeconds'
  );
}

/** Enums are exported as plain objects of strings; nothing else of the SDK is. */
function enumsOf(exported) {
  const enums = new Map();
  for (const [name, value] of Object.entries(exported)) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) continue;
    const values = Object.values(value);
    if (values.length > 0 && values.every((item) => typeof item === 'string')) enums.set(name, [...new Set(values)].sort());
  }
  return new Map([...enums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `Shape.member` -> enum name, read from the interfaces of the declaration file. */
function enumMembersOf(sdk, enums) {
  const file = join(dirname(require.resolve(`${sdk}/package.json`)), 'dist-types/ts3.4/models/models_0.d.ts');
  const members = new Map();
  let shape = '';
  let member = '';
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const start = /^export interface (\w+)/.exec(line);
    if (start) shape = start[1];
    const named = /^ {2}(\w+)\??:(.*)$/.exec(line);
    if (named) member = named[1];
    for (const word of (named ? named[2] : line.startsWith('    ') ? line : '').match(/\w+/g) ?? []) {
      if (enums.has(word)) members.set(`${shape}.${member}`, word);
    }
  }
  return members;
}

function render(service, model) {
  const usedEnums = new Set();
  const noteEnums = (type) => {
    if (typeof type !== 'object') return;
    if (type.enum) usedEnums.add(type.enum);
    else if (!type.shape) noteEnums(type.list ?? type.map);
  };
  for (const shape of model.shapes) for (const member of shape.members) noteEnums(member.type);

  const lines = [
    '// Generated by tools/generators/aws-models.mjs from the service model in ' + service.sdk + '. Do not edit.',
    "import type { ServiceModel } from '../model.js';",
    '',
  ];
  for (const [name, values] of model.enums) {
    if (usedEnums.has(name)) lines.push(`export type ${name} = ${values.map(quote).join(' | ')};`);
  }
  lines.push('');
  for (const shape of model.shapes) {
    lines.push(`export interface ${shape.name} {`);
    for (const member of shape.members) {
      const type = typeText(member.type);
      lines.push(member.isRequired ? `  readonly ${member.name}: ${type};` : `  readonly ${member.name}?: ${type} | undefined;`);
    }
    lines.push('}');
  }
  lines.push('', '/** Operation name -> what its handler gets and gives. */', 'export interface Operations {');
  for (const { name, input, output } of model.operations) {
    lines.push(`  ${name}: { input: ${input ?? 'Record<string, never>'}; output: ${output ?? 'void'} };`);
  }
  lines.push('}', '', 'export const model: ServiceModel = {');
  lines.push(`  id: ${quote(service.id)},`, `  signingName: ${quote(service.signingName)},`, '  operations: {');
  for (const { name, httpMethod, uri, status, input, output } of model.operations) {
    lines.push(
      `    ${name}: { name: ${quote(name)}, httpMethod: ${quote(httpMethod)}, uri: ${quote(uri)}, status: ${status}, ` +
        `input: ${input === null ? 'null' : quote(input)}, output: ${output === null ? 'null' : quote(output)} },`,
    );
  }
  lines.push('  },', '  shapes: {');
  for (const shape of model.shapes) {
    if (shape.members.length === 0) {
      lines.push(`    ${shape.name}: [],`);
      continue;
    }
    lines.push(`    ${shape.name}: [`);
    for (const { name, binding, wireName, type, isRequired } of shape.members) {
      lines.push(
        `      { name: ${quote(name)}, binding: ${quote(binding)}, wireName: ${quote(wireName)}, ` +
          `type: ${typeValue(type)}, isRequired: ${isRequired} },`,
      );
    }
    lines.push('    ],');
  }
  lines.push('  },', '  enums: {');
  for (const [name, values] of model.enums) {
    if (usedEnums.has(name)) lines.push(`    ${name}: [${values.map(quote).join(', ')}],`);
  }
  lines.push('  },', '  errors: {');
  for (const { name, status, shape } of model.errors) {
    lines.push(`    ${name}: { status: ${status}, shape: ${quote(shape)} },`);
  }
  lines.push('  },', '};', '');
  return lines.join('\n');
}

function typeText(type) {
  if (type === 'blob') return 'Uint8Array';
  if (type === 'isoDateTime' || type === 'epochSeconds' || type === 'httpDate') return 'Date';
  if (type === 'integer' || type === 'double') return 'number';
  if (typeof type === 'string') return type;
  if (type.list) return `readonly ${wrap(typeText(type.list))}[]`;
  if (type.map) return `Readonly<Record<string, ${typeText(type.map)}>>`;
  return type.enum ?? type.shape;
}

function wrap(text) {
  return text.startsWith('readonly ') ? `(${text})` : text;
}

function typeValue(type) {
  if (typeof type === 'string') return quote(type);
  if (type.list) return `{ list: ${typeValue(type.list)} }`;
  if (type.map) return `{ map: ${typeValue(type.map)} }`;
  return type.enum ? `{ enum: ${quote(type.enum)} }` : `{ shape: ${quote(type.shape)} }`;
}

function quote(text) {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
