import { describe, expect, test } from 'vitest';
import { changeLogDestinations } from './log-destinations.js';

const GROUP = 'arn:aws:logs:us-east-1:123456789012:log-group:/api/dev';
const STREAM = 'arn:aws:firehose:eu-west-1:123456789012:deliverystream/amazon-apigateway-x';
const URL_A = 'https://logs.example.com/in?token=1';

test('log groups and delivery streams get a URL, get another one, and lose it', () => {
  const both = changeLogDestinations({}, { [`${GROUP}:*`]: URL_A, [STREAM]: 'http://logs.example.com:8080' });
  expect(both).toEqual({ [GROUP]: URL_A, [STREAM]: 'http://logs.example.com:8080' });
  expect(changeLogDestinations(both, { [GROUP]: 'http://other.example.com/', [STREAM]: null })).toEqual({
    [GROUP]: 'http://other.example.com/',
  });
  expect(changeLogDestinations(both, { [`${GROUP}2`]: null })).toEqual(both);
});

test('a hundred log groups may have a URL', () => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${GROUP}${i}`, URL_A]));
  expect(changeLogDestinations({}, many)).toEqual(many);
  expect(() => changeLogDestinations(many, { [GROUP]: URL_A })).toThrow('101 log groups have a URL, at most 100 may');
});

describe('refused', () => {
  test.each([
    ['no ARN', { 'log-group': URL_A }, 'Invalid ARN "log-group"'],
    ['an ARN of something else', { 'arn:aws:s3:::bucket': URL_A }, 'Invalid ARN "arn:aws:s3:::bucket"'],
    ['__proto__', JSON.parse(`{"__proto__": "${URL_A}"}`) as Record<string, unknown>, 'Invalid ARN "__proto__"'],
    ['no URL', { [GROUP]: 'logs.example.com' }, `Invalid URL for ${GROUP}`],
    ['another scheme', { [GROUP]: 'file:///etc/passwd' }, 'Invalid URL'],
    ['a user', { [GROUP]: 'https://me:secret@logs.example.com' }, 'Invalid URL'],
    ['a fragment', { [GROUP]: 'https://logs.example.com/#a' }, 'Invalid URL'],
    ['a line feed', { [GROUP]: 'https://logs.example.com/\n' }, 'Invalid URL'],
    ['a number', { [GROUP]: 7 }, 'Invalid URL'],
    ['two problems', { a: URL_A, [GROUP]: '' }, `; Invalid URL for ${GROUP}`],
  ])('%s', (_, changes, message) => expect(() => changeLogDestinations({}, changes)).toThrow(message));
});
