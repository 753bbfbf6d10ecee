/**
 * Destination ARNs of access logs, and what they are called here:
 *
 *   arn:aws:logs:us-east-1:123456789012:log-group:/api/dev             log group /api/dev
 *   arn:aws:firehose:us-east-1:123456789012:deliverystream/amazon-x    log group deliverystream/amazon-x
 */
import path from 'node:path';
import { sha256Hex } from '@gatehouse/kernel';
import type { LogEvent } from './log-group.js';

export interface LogGroupName {
  readonly region: string;
  readonly name: string;
}

const FILE_NAME_CHARS_MAX = 180;

/** Total: what is no ARN is a name. */
export function logGroupName(arn: string): LogGroupName {
  const [prefix, , service, region = '', , ...rest] = arn.replace(/:\*$/, '').split(':');
  if (prefix !== 'arn' || rest.length === 0) return { region: 'global', name: arn };
  const name = rest.join(':');
  return { region, name: service === 'logs' ? name.replace(/^log-group:/, '') : name };
}

/** Below a folder of its tenant. Whatever the name is, it is one file of one folder. */
export function logFile(folder: string, tenant: string, { region, name }: LogGroupName): string {
  return path.join(folder, fileName(tenant), fileName(region === '' ? 'global' : region), `${fileName(name)}.log`);
}

/** No slash, no dot at the beginning, and no longer than file systems take; different names stay different. */
function fileName(name: string): string {
  const plain = encodeURIComponent(name.toWellFormed()).replace(/^\./, '%2E').replaceAll('*', '%2A');
  return plain.length <= FILE_NAME_CHARS_MAX
    ? plain
    : `${plain.slice(0, FILE_NAME_CHARS_MAX - 17)}~${sha256Hex(name).slice(0, 16)}`;
}

/** An event where several log groups share a place. */
export function jsonLine({ name }: LogGroupName, { timeMs, message }: LogEvent): string {
  return JSON.stringify({ timestamp: timeMs, logGroup: name, message });
}
