// What is measured, each with the plain proxy it is compared to. `most`: the bar, as a ratio of CPU time per request.
import { ITEM_ANSWER, MAPPED_ANSWER, ORDER, PET, PET_ANSWER } from './document.mjs';

const POST = { body: ORDER, contentType: 'application/json', plain: 'plain-post' };
const SMALL_POST = { body: PET, contentType: 'application/json', plain: 'plain-small-post' };

/** `api`: `restApiId` or `policyApiId`; `headers(context)`: of `createStepsApis`, `issuer` and `signed`. */
export const ROWS = [
  { name: 'plain', title: 'plain proxy, GET', path: '/item', expected: ITEM_ANSWER },
  {
    name: 'keyed',
    title: 'API key, throttle and quota',
    path: '/keyed',
    headers: ({ key }) => ({ 'x-api-key': key }),
    expected: ITEM_ANSWER,
    most: 1.15,
  },
  {
    name: 'keyed-untold',
    title: 'the same, callers not told of their limits, as on AWS',
    stage: 'untold',
    path: '/keyed',
    headers: ({ key }) => ({ 'x-api-key': key }),
    expected: ITEM_ANSWER,
  },
  {
    name: 'function-authorizer',
    title: 'Lambda authorizer, cached',
    path: '/function-authorizer',
    headers: () => ({ 'X-Token': 'bench' }),
    expected: ITEM_ANSWER,
    most: 1.1,
  },
  {
    name: 'jwt',
    title: 'JWT of a user pool, cached',
    path: '/jwt',
    headers: ({ issuer }) => ({ Authorization: issuer.token }),
    expected: ITEM_ANSWER,
    most: 1.1,
  },
  {
    name: 'token',
    title: 'plain proxy, GET with that token in a header',
    path: '/item',
    headers: ({ issuer }) => ({ 'X-Token': issuer.token }),
    expected: ITEM_ANSWER,
  },
  { name: 'iam', title: 'IAM: SigV4, one signature again', path: '/iam', isSigned: true, expected: ITEM_ANSWER },
  { name: 'policy', title: 'resource policy', api: 'policyApiId', path: '/item', expected: ITEM_ANSWER },
  {
    name: 'mapped-parameters',
    title: 'three mapped parameters',
    path: '/mapped-parameters?id=7',
    expected: ITEM_ANSWER,
  },
  { name: 'logged', title: 'access log of the stage', stage: 'logged', path: '/item', expected: ITEM_ANSWER },
  { name: 'traced', title: 'execution log, INFO', stage: 'traced', path: '/item', expected: ITEM_ANSWER },
  { name: 'canary', title: 'canary with 10 %', stage: 'canary', path: '/item', expected: ITEM_ANSWER },
  { name: 'cached', title: 'cache hit', path: '/cached', expected: ITEM_ANSWER, most: 0.5 },
  {
    name: 'plain-post',
    title: 'plain proxy, POST of 1 KB',
    path: '/echo',
    ...POST,
    expected: JSON.parse(ORDER),
  },
  { name: 'schema', title: 'body checked by JSON schema', path: '/schema', ...POST, expected: JSON.parse(ORDER), most: 1.25 },
  {
    name: 'http',
    title: 'HTTP integration instead of a proxy, no templates',
    path: '/http',
    ...POST,
    expected: JSON.parse(ORDER),
  },
  {
    name: 'list-templates',
    title: 'request and response template that map a list, 1 KB',
    path: '/list-templates',
    ...POST,
    expected: MAPPED_ANSWER,
  },
  { name: 'plain-small-post', title: 'plain proxy, POST of 90 bytes', path: '/echo', ...SMALL_POST, expected: JSON.parse(PET) },
  {
    name: 'templates',
    title: 'request and response template of a pet',
    path: '/templates',
    ...SMALL_POST,
    expected: PET_ANSWER,
    most: 1.4,
  },
  {
    name: 'program',
    title: 'full program: key, limits, authorizer, schema, templates',
    path: '/program',
    ...POST,
    headers: ({ key }) => ({ 'x-api-key': key, 'X-Token': 'bench' }),
    expected: MAPPED_ANSWER,
  },
];

/** Of the call of a local function that is warm: its answer is the upstream's. */
export const FUNCTION_ROW = { name: 'function', title: 'local function', path: '/function', expected: ITEM_ANSWER };
