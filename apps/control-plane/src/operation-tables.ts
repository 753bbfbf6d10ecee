import { ApiGatewayV2 } from '@gatehouse/aws-api';
import { backendAccessOperations } from '@gatehouse/control-backend-access';
import { deploymentOperations } from '@gatehouse/control-deployments';
import { accessAssociationOperations, domainNameOperations } from '@gatehouse/control-domain-names';
import { exportOperations } from '@gatehouse/control-exports';
import { functionOperations, type FunctionInvoker } from '@gatehouse/control-functions';
import { apiPartOperations, importOperations, restApiOperations } from '@gatehouse/control-rest-apis';
import { tenantOperations } from '@gatehouse/control-tenants';
import { testInvokeOperations } from '@gatehouse/control-test-invoke';
import { usagePlanOperations } from '@gatehouse/control-usage-plans';
import { noneYet, type OperationTables } from '@gatehouse/control-wire';
import type { RolloutWaiter, TenantStore, TestInvoker } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { LAMBDA_NOT_YET } from './not-yet.js';

export interface TableDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly waiter: RolloutWaiter;
  readonly testInvoker: TestInvoker;
  readonly invoker: FunctionInvoker;
}

/** Everything the endpoint answers. An operation that is neither handled nor named as not there yet does not compile. */
export function operationTables({ store, clock, ids, waiter, testInvoker, invoker }: TableDependencies): OperationTables {
  return {
    ApiGateway: {
      ...restApiOperations({ store, clock, ids }),
      ...apiPartOperations({ store, clock, ids }),
      ...importOperations({ store, clock, ids }),
      ...deploymentOperations({ store, clock, ids, waiter }),
      ...exportOperations({ store }),
      ...usagePlanOperations({ store, clock, ids }),
      ...domainNameOperations({ store, clock, ids }),
      ...accessAssociationOperations,
      ...backendAccessOperations({ store, clock, ids }),
      ...testInvokeOperations({ store, clock, testInvoker }),
      ...tenantOperations({ store }),
    },
    ApiGatewayV2: noneYet<ApiGatewayV2.Operations>(ApiGatewayV2.model),
    Lambda: { ...functionOperations({ store, clock, ids, invoker }), ...LAMBDA_NOT_YET },
  };
}
