/** Mapping templates are parsed when they are written: what does not parse is refused with the place, and nothing is stored. */
import { createMockApi, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  api = (await house.tenant()).apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const BROKEN = '{\n  "pets": [#foreach($pet in $input.path("$.pets")) $pet.name ]\n}';
const REFUSAL =
  '400 BadRequestException: Invalid mapping template specified for application/json: #foreach has no #end; it begins at line 2, column 12';
const add = (value: string) => [{ op: 'add' as const, path: '/responseTemplates/application~1json', value }];

test('a template that does not parse is refused with line and column, wherever it is given', async () => {
  const { key } = await createMockApi(api);
  const templates = { 'application/json': BROKEN };
  expect(await refusalOf(api.putIntegration({ ...key, type: 'MOCK', requestTemplates: templates }))).toBe(REFUSAL);
  expect(
    await refusalOf(
      api.updateIntegration({
        ...key,
        patchOperations: [{ op: 'replace', path: '/requestTemplates/application~1json', value: BROKEN }],
      }),
    ),
  ).toBe(REFUSAL);
  expect((await api.getIntegration(key)).requestTemplates).toEqual({ 'application/json': '{"statusCode": 200}' });
  const response = { ...key, statusCode: '200' };
  expect(await refusalOf(api.putIntegrationResponse({ ...response, responseTemplates: templates }))).toBe(REFUSAL);
  expect(await refusalOf(api.updateIntegrationResponse({ ...response, patchOperations: add(BROKEN) }))).toBe(REFUSAL);
});

test('a template that parses is kept to the letter; a gateway response has no directives, so `#if` there is text', async () => {
  const { key } = await createMockApi(api);
  const template = '#set($a = $input.path("$.a"))\n{"a": "$util.escapeJavaScript($a)"}';
  await api.updateIntegrationResponse({ ...key, statusCode: '200', patchOperations: add(template) });
  const read = await api.getIntegrationResponse({ ...key, statusCode: '200' });
  expect(read.responseTemplates).toMatchObject({ 'application/json': template });
  const { restApiId } = key;
  const put = { restApiId, responseType: 'THROTTLED' as const, responseTemplates: { 'text/plain': '#if(' } };
  expect((await api.putGatewayResponse(put)).responseTemplates).toEqual({ 'text/plain': '#if(' });
});
