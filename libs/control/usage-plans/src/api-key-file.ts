/** The CSV that ImportApiKeys takes (API Gateway guide, "API Gateway API key file format"). */
import { badRequest, checkApiKeyDescription, checkApiKeyName, checkApiKeyValue } from '@gatehouse/domain';
import { parse } from 'csv-parse/sync';

/** One line. */
export interface ApiKeyRow {
  readonly name: string;
  readonly value: string;
  readonly description: string | null;
  readonly enabled: boolean;
  readonly usagePlanIds: readonly string[];
}

const FILE_BYTES_MAX = 6 * 1024 * 1024;
/** CreateApiKey takes shorter ones. */
const VALUE_CHARS_MIN = 30;

/** Columns in any order and case; unknown ones are ignored. Throws BadRequest, naming the line, for a file that is none. */
export function readApiKeyFile(bytes: Uint8Array): ApiKeyRow[] {
  if (bytes.length > FILE_BYTES_MAX) throw badRequest(`API key file exceeds maximum size of ${FILE_BYTES_MAX} bytes`);
  const [header, ...lines] = records(Buffer.from(bytes).toString('utf8'));
  const names = (header ?? []).map((name) => name.trim().toLowerCase());
  for (const required of ['name', 'key'])
    if (!names.includes(required)) throw badRequest(`API key file has no column "${required}"`);
  return lines.map((cells, index) => {
    const cell = (name: string): string => cells[names.indexOf(name)]?.trim() ?? '';
    return readRow(cell, index + 2);
  });
}

function records(text: string): string[][] {
  try {
    return parse(text, { bom: true, skip_empty_lines: true, relax_column_count: true });
  } catch (error) {
    throw badRequest(`API key file cannot be read: ${(error as Error).message}`);
  }
}

function readRow(cell: (name: string) => string, line: number): ApiKeyRow {
  const row = {
    name: cell('name'),
    value: cell('key'),
    description: cell('description') || null,
    enabled: cell('enabled').toLowerCase() !== 'false',
    usagePlanIds: [
      ...new Set(
        cell('usageplanids')
          .split(',')
          .map((id) => id.trim()),
      ),
    ].filter((id) => id !== ''),
  };
  try {
    if (row.name === '') throw badRequest('Name cannot be empty');
    checkApiKeyName(row.name);
    checkApiKeyDescription(row.description ?? '');
    checkApiKeyValue(row.value);
    if (row.value.length < VALUE_CHARS_MIN) throw badRequest(`API Key value should be at least ${VALUE_CHARS_MIN} characters`);
  } catch (error) {
    throw badRequest(`Line ${line}: ${(error as Error).message}`);
  }
  return row;
}
