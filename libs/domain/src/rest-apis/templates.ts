import { parseTemplate, VtlSyntaxError } from '@gatehouse/lang';
import { badRequest } from '../errors.js';
import { quotaNote, type Quotas } from '../tenancy/quotas.js';

/** RFC 9110 §8.3.1, parameters included; `$default` is the template for everything else. */
const CONTENT_TYPE = /^(?:\$default|[\w!#$&^.+*-]+\/[\w!#$&^.+*-]+(?: *;[ -~]*)?)$/;

export function checkContentType(contentType: string): void {
  if (CONTENT_TYPE.test(contentType)) return;
  throw badRequest(`Validation Result: warnings : [], errors : [Invalid content type specified: ${contentType}]`);
}

/** An entry of a template map: the empty template reads back as `null`. Throws BadRequest. */
export function readTemplate(contentType: string, template: string | null, quotas: Quotas): string | null {
  checkContentType(contentType);
  if (template === null || template === '') return null;
  if (Buffer.byteLength(template) > quotas.templateBytes) {
    throw badRequest(
      `Mapping template for ${contentType} exceeds maximum size of ${quotas.templateBytes} bytes${quotaNote(quotas, 'templateBytes')}`,
    );
  }
  checkSyntax(contentType, template, quotas.templateBytes);
  return template;
}

function checkSyntax(contentType: string, template: string, bytesMax: number): void {
  try {
    parseTemplate(template, bytesMax);
  } catch (cause) {
    if (!(cause instanceof VtlSyntaxError)) throw cause;
    throw badRequest(`Invalid mapping template specified for ${contentType}: ${cause.message}`);
  }
}

export type TemplateMap = Readonly<Record<string, string | null>>;

/** A map as given; `undefined` is none. */
export function readTemplates(templates: TemplateMap | undefined, quotas: Quotas): TemplateMap | null {
  if (templates === undefined) return null;
  return Object.fromEntries(Object.entries(templates).map(([type, template]) => [type, readTemplate(type, template, quotas)]));
}
