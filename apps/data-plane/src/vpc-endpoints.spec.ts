import { expect, test } from 'vitest';
import { addressTest, vpcEndpointsSetting } from './vpc-endpoints.js';

const find = addressTest(vpcEndpointsSetting.parse('vpce-1a@vpc-1=10.1.0.0/16+fd00:1::/32, vpce-2b@vpc-2=10.0.0.0/8'));

test.each([
  ['10.1.2.3', 'vpce-1a'],
  ['fd00:1::7', 'vpce-1a'],
  ['10.2.0.1', 'vpce-2b'],
  ['192.0.2.1', undefined],
  ['fd00:2::7', undefined],
  ['', undefined],
])('%s comes through %s', (address, vpceId) => expect(find(address)?.vpceId).toBe(vpceId));

test.each([
  'vpce-1a',
  'vpce-1a@vpc-1',
  'vpce-1a@vpc-1=',
  'vpce-1a@vpc-1=10.0.0.0',
  'vpce-1a@vpc-1=10.0.0.0/33',
  'x@vpc-1=10.0.0.0/8',
  ',',
])('"%s" is refused at the start', (text) => expect(() => vpcEndpointsSetting.parse(text)).toThrow(/^expected /));
