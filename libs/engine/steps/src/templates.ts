import type { PassthroughBehavior, StaticTemplates } from '@gatehouse/contracts';
import { mediaType, type Exchange } from '@gatehouse/engine-exchange';
import { acceptedTypes } from './media-types.js';

const JSON_TYPE = 'application/json';

/** A template's text, ready to send. Templates here are static; those with Velocity in them never reach a program. */
export interface StaticTemplate {
  readonly mediaType: string;
  readonly text: string;
  readonly bytes: Buffer;
}

/** Keys as the owner wrote them, in the owner's order, compared in lower case. */
function linkTemplates(templates: StaticTemplates): ReadonlyMap<string, StaticTemplate> {
  return new Map(
    Object.entries(templates).map(([type, text]) => [
      type.toLowerCase(),
      { mediaType: type, text, bytes: Buffer.from(text, 'utf8') },
    ]),
  );
}

export const PASSTHROUGH = 'passthrough';
export const UNSUPPORTED = 'unsupported';

/** What becomes of a request body (data-plane reference §3.9). */
export type RequestTemplateChoice = StaticTemplate | typeof PASSTHROUGH | typeof UNSUPPORTED;

export function compileRequestTemplates(
  templates: StaticTemplates,
  behavior: PassthroughBehavior,
): (x: Exchange) => RequestTemplateChoice {
  const byType = linkTemplates(templates);
  const catchAll = byType.get('$default');
  const otherwise = behavior === 'NEVER' || (behavior === 'WHEN_NO_TEMPLATES' && byType.size > 0) ? UNSUPPORTED : PASSTHROUGH;
  if (byType.size === 0) return () => otherwise;
  return (x) => byType.get(mediaType(x.requestHeaders) ?? JSON_TYPE) ?? catchAll ?? otherwise;
}

/** By Accept, else JSON, else the first; `null` when there are none and the body passes through (data-plane reference §3.11). */
export function compileResponseTemplates(templates: StaticTemplates): (x: Exchange) => StaticTemplate | null {
  const byType = linkTemplates(templates);
  const fallback = byType.get(JSON_TYPE) ?? byType.values().next().value ?? null;
  if (byType.size <= 1) return () => fallback;
  return (x) => {
    for (const type of acceptedTypes(x.requestHeaders)) {
      const template = byType.get(type);
      if (template !== undefined) return template;
    }
    return fallback;
  };
}
