import type {
  FunctionAlias,
  FunctionAliasRepository,
  FunctionDefinition,
  FunctionRepository,
  FunctionStatement,
  FunctionStatementRepository,
  FunctionVersion,
  FunctionVersionRepository,
  PageRequest,
} from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';
import { columnText } from '../column-text.js';
import type * as rows from '../gen/client.js';
import { document, fromDocument, PrismaRepository, type TransactionScope } from './prisma-repository.js';

type Environment = FunctionVersion['environment'];

const sealedPlace = (scope: TransactionScope, name: string, version: string) =>
  `environment of function ${scope.tenant}/${name}:${version}`;

function sealEnvironment(environment: Environment, place: string, { sealer }: TransactionScope) {
  const plain = Object.entries(environment).map(([name, value]) => [name, value.reveal()]);
  return sealer.seal(new Secret(JSON.stringify(plain)), place);
}

function openEnvironment(sealed: Uint8Array, place: string, { sealer }: TransactionScope): Environment {
  const plain = JSON.parse(sealer.open(sealed, place).reveal()) as [string, string][];
  return Object.fromEntries(plain.map(([name, value]) => [name, new Secret(value)]));
}

export class PrismaFunctions extends PrismaRepository<string, FunctionDefinition, rows.Function> implements FunctionRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'function',
      rows: (tx) => tx.function,
      table: 'functions',
      keyColumns: ['name'],
      keyOf: (definition) => definition.name,
      where: (name) => ({ name: columnText(name) }),
      toRow: (definition) => {
        const { environment, ...latest } = definition.latest;
        return {
          codeDigest: latest.codeDigest,
          document: document({ ...definition, latest }),
          sealedEnvironment: sealEnvironment(environment, sealedPlace(scope, definition.name, '$LATEST'), scope),
        };
      },
      toEntity: (row) => {
        const definition = fromDocument<FunctionDefinition>(row);
        const environment = openEnvironment(row.sealedEnvironment, sealedPlace(scope, definition.name, '$LATEST'), scope);
        return { ...definition, latest: { ...definition.latest, environment } };
      },
    });
  }
  page(request: PageRequest) {
    return this.pageBy({}, 'name', 'asc', request);
  }
}

interface VersionKey {
  readonly functionName: string;
  readonly version: string;
}

export class PrismaFunctionVersions
  extends PrismaRepository<VersionKey, FunctionVersion, rows.FunctionVersion>
  implements FunctionVersionRepository
{
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'function version',
      rows: (tx) => tx.functionVersion,
      table: 'function_versions',
      keyColumns: ['function_name', 'version'],
      keyOf: (version) => version,
      where: (key) => ({ functionName: columnText(key.functionName), version: columnText(key.version) }),
      toRow: ({ environment, ...rest }) => ({
        number: Number(rest.version),
        codeDigest: rest.codeDigest,
        document: document(rest),
        sealedEnvironment: sealEnvironment(environment, sealedPlace(scope, rest.functionName, rest.version), scope),
      }),
      toEntity: (row) => {
        const version = fromDocument<FunctionVersion>(row);
        const place = sealedPlace(scope, version.functionName, version.version);
        return { ...version, environment: openEnvironment(row.sealedEnvironment, place, scope) };
      },
    });
  }
  ofFunction(functionName: string) {
    return this.list({ functionName: columnText(functionName) }, { number: 'asc' });
  }
}

interface AliasKey {
  readonly functionName: string;
  readonly name: string;
}

export class PrismaFunctionAliases
  extends PrismaRepository<AliasKey, FunctionAlias, rows.FunctionAlias>
  implements FunctionAliasRepository
{
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'function alias',
      rows: (tx) => tx.functionAlias,
      table: 'function_aliases',
      keyColumns: ['function_name', 'name'],
      keyOf: (alias) => alias,
      where: (key) => ({ functionName: columnText(key.functionName), name: columnText(key.name) }),
      toRow: (alias) => ({ document: document(alias) }),
      toEntity: fromDocument,
    });
  }
  ofFunction(functionName: string) {
    return this.list({ functionName: columnText(functionName) }, { name: 'asc' });
  }
}

interface StatementKey {
  readonly functionName: string;
  readonly qualifier: string;
  readonly statementId: string;
}

export class PrismaFunctionStatements
  extends PrismaRepository<StatementKey, FunctionStatement, rows.FunctionStatement>
  implements FunctionStatementRepository
{
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'function statement',
      rows: (tx) => tx.functionStatement,
      table: 'function_statements',
      keyColumns: ['function_name', 'qualifier', 'statement_id'],
      keyOf: (statement) => statement,
      where: (key) => ({
        functionName: columnText(key.functionName),
        qualifier: columnText(key.qualifier),
        statementId: columnText(key.statementId),
      }),
      toRow: (statement) => ({ document: document(statement) }),
      toEntity: fromDocument,
    });
  }
  ofFunction(functionName: string) {
    return this.list({ functionName: columnText(functionName) }, [{ qualifier: 'asc' }, { statementId: 'asc' }]);
  }
}
