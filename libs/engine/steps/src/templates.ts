import type { PassthroughBehavior, StaticTemplates } from '@gatehouse/contracts';
import { requestMediaType, type Exchange } from '@gatehouse/engine-exchange';
import { acceptedTypes } from './media-types.js';
import type { BodyTemplate } from './velocity.js';

const JSON_TYPE = 'application/json';

/** One template, ready: its media type in lower case, and what was made of its text. */
interface Linked<T> {
  readonly lowerType: string;
  readonly content: T;
}

/**
 * Keys as the owner wrote them, in the owner's
 * order, compared in lower case. A list, not a map: a route has one or two of them, and a map alone weighs 230 bytes.
 */
function linkTemplates<T>(templates: StaticTemplates, prepare: (text: string, type: string) => T): readonly Linked<T>[] {
  const linked: Linked<T>[] = [];
  for (const [type, text] of Object.entries(templates)) {
    const lowerType = type.toLowerCase();
    const present = linked.findIndex((template) => template.lowerType === lowerType);
    linked[present === -1 ? linked.length : present] = { lowerType, content: prepare(text, type) };
  }
  return linked.slice(); // without the room that it has to grow
}

function ofType<T>(templates: readonly Linked<T>[], lowerType: string): Linked<T> | null {
  for (let i = 0; i < templates.length; i++) if (templates[i]!.lowerType === lowerType) return templates[i]!;
  return null;
}

export const PASSTHROUGH = 'passthrough';
export const UNSUPPORTED = 'unsupported';

/**
 * What becomes of a request body (data-plane reference §3.9): the chosen template, as `prepare` made it of its text, or one of
 * the two words.
 */
export function compileRequestTemplates<T extends object | null>(
  templates: StaticTemplates,
  behavior: PassthroughBehavior,
  prepare: (text: string, type: string) => T,
): (x: Exchange) => T | typeof PASSTHROUGH | typeof UNSUPPORTED {
  const linked = linkTemplates(templates, prepare);
  const otherwise = behavior === 'NEVER' || (behavior === 'WHEN_NO_TEMPLATES' && linked.length > 0) ? UNSUPPORTED : PASSTHROUGH;
  if (linked.length === 0) return otherwise === UNSUPPORTED ? unsupported : passThrough;
  const catchAll = ofType(linked, '$default');
  return (x) => {
    const template = ofType(linked, requestMediaType(x) ?? JSON_TYPE) ?? catchAll;
    return template === null ? otherwise : template.content;
  };
}

const unsupported = (): typeof UNSUPPORTED => UNSUPPORTED;
const passThrough = (): typeof PASSTHROUGH => PASSTHROUGH;

export interface ResponseTemplate {
  /** As the owner wrote it. */
  readonly mediaType: string;
  readonly content: BodyTemplate;
}

/** By Accept, else JSON, else the first; `null` when there are none and the body passes through (data-plane reference §3.11). */
export function compileResponseTemplates(
  templates: StaticTemplates,
  prepare: (text: string, type: string) => BodyTemplate,
): (x: Exchange) => ResponseTemplate | null {
  const linked = linkTemplates(templates, (text, type): ResponseTemplate => ({ mediaType: type, content: prepare(text, type) }));
  if (linked.length === 0) return noTemplate;
  const fallback = (ofType(linked, JSON_TYPE) ?? linked[0]!).content;
  if (linked.length === 1) return () => fallback;
  return (x) => {
    for (const type of acceptedTypes(x.requestHeaders)) {
      const template = ofType(linked, type);
      if (template !== null) return template.content;
    }
    return fallback;
  };
}

const noTemplate = (): null => null;
