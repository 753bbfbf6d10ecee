/** A document as text. YAML holds what the JSON holds: texts in double quotes are the same in both, escapes included. */
import { isObject, type Json, type JsonObject } from './export-json.js';

export type ExportFormat = 'json' | 'yaml';

/** By the header `Accept`; JSON unless YAML was asked for. */
export function readExportFormat(accept: string | undefined): ExportFormat {
  return /^(?:application|text)\/(?:x-)?yaml\b/i.test((accept ?? '').trim()) ? 'yaml' : 'json';
}

export function documentText(document: JsonObject, format: ExportFormat): string {
  return format === 'json' ? JSON.stringify(document, null, 2) : `---\n${yamlBlock(document, '')}`;
}

/**
 * The name of the download, such as `oas30_1.0.0.json`. A version is free text and this ends in a header: what is not plain is
 * replaced.
 */
export function exportFileName(type: string, version: string, format: ExportFormat): string {
  return `${type}_${version.replace(/[^A-Za-z0-9._:+ -]/g, '_')}.${format}`;
}

function yamlBlock(value: Json, indent: string): string {
  if (Array.isArray(value)) return value.map((item: Json) => `${indent}-${yamlAfter(item, `${indent}  `, true)}`).join('');
  if (isObject(value)) {
    return Object.entries(value)
      .map(([name, member]) => `${indent}${yamlKey(name, indent)}${yamlAfter(member, `${indent}  `, false)}`)
      .join('');
  }
  return `${indent}${yamlScalar(value)}\n`;
}

/** What follows `- ` or `name:`. The first member of an object in a list stands on the line of the dash. */
function yamlAfter(value: Json, indent: string, isItem: boolean): string {
  if (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0) {
    return Array.isArray(value) ? ' []\n' : ' {}\n';
  }
  if (typeof value !== 'object' || value === null) return ` ${yamlScalar(value)}\n`;
  const block = yamlBlock(value, indent);
  return isItem ? ` ${block.slice(indent.length)}` : `\n${block}`;
}

/** YAML 1.2 §7.4.2: a key on the line of its value has at most 1,024 characters. */
const KEY_CHARS_MAX = 1_000;

function yamlKey(name: string, indent: string): string {
  const key = yamlName(name);
  return key.length > KEY_CHARS_MAX ? `? ${key}\n${indent}:` : `${key}:`;
}

/** Plain only what no reader of YAML takes for anything but text. */
function yamlName(name: string): string {
  const isPlain = /^[A-Za-z$_][A-Za-z0-9_$.-]*$/.test(name) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(name);
  return isPlain ? name : quoted(name);
}

function yamlScalar(value: Json): string {
  return typeof value === 'string' ? quoted(value) : JSON.stringify(value);
}

/** YAML forbids some characters that JSON leaves as they are; a line may break at others. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
