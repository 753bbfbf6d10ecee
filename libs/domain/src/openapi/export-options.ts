import { badRequest } from '../errors.js';

/** Swagger 2.0 or OpenAPI 3.0.1. */
export type ExportType = 'swagger' | 'oas30';

/** What an exported document says beside the standard. */
export interface ExportExtensions {
  /** Integrations, and what stands at the root of a document: validators, gateway responses, policy, media types ... */
  readonly integrations: boolean;
  readonly validators: boolean;
  readonly authorizers: boolean;
  /** The documentation parts as they are, besides what of them OpenAPI has members for. */
  readonly documentation: boolean;
}

/** Throws BadRequest for a type that nothing writes. */
export function readExportType(type: string): ExportType {
  if (type === 'swagger' || type === 'oas30') return type;
  throw badRequest(`No API exporter for type '${type}'`);
}

/**
 * `extensions=integrations,authorizers`. `apigateway` is all that an import understands, so that nobody who exports with it
 * alone imports an API that has lost its authorizers. `postman` asks for nothing more: Postman reads the standard members. What
 * is not known is left out, as on AWS.
 */
export function readExportExtensions(text: string | undefined): ExportExtensions {
  const named = new Set((text ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const all = named.has('apigateway');
  const integrations = all || named.has('integrations');
  return {
    integrations,
    validators: integrations || named.has('validators'),
    authorizers: all || named.has('authorizers'),
    documentation: named.has('documentation'),
  };
}
