/** The body of a request that is sent whole: converted, from a template or as it came (data-plane reference §3.9, §3.10). */
import type { ContentHandling, PassthroughBehavior, StaticTemplates } from '@gatehouse/contracts';
import {
  CONTINUE,
  FAULT,
  TemplateFailure,
  type Exchange,
  type RouteSettings,
  type Verdict,
  type UpstreamWay,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { Overrides } from '@gatehouse/lang';
import { compileRequestConversion, convertBody, failedToRead, holdsBytes, KEEP } from './content-handling.js';
import { BROKEN_JSON, parseBody, type ParsedBody } from './json-body.js';
import { compileRequestTemplates, PASSTHROUGH, UNSUPPORTED } from './templates.js';
import { bodyTemplates, VelocityTemplate } from './velocity.js';

/** What stands around an integration. */
export interface Surroundings {
  readonly isVelocity: boolean;
  readonly contentHandling: ContentHandling | null;
  /** To backends by HTTP. */
  readonly way: UpstreamWay | null;
}

export interface PayloadSettings {
  readonly requestTemplates: StaticTemplates;
  readonly passthroughBehavior: PassthroughBehavior;
}

export interface Payload {
  readonly bytes: Buffer;
  /** The caller's body, for mappings; `null` where none reads it. */
  readonly parsed: ParsedBody | null;
  /** What a template said of the request beside its body; its word on the response is in the exchange. */
  readonly overrides: Overrides | null;
}

const NOTHING = Buffer.alloc(0);

/** For programs that read the body. A verdict stands for the fault there is instead. Throws LinkRefusal. */
export function compilePayload(
  settings: RouteSettings,
  { requestTemplates, passthroughBehavior }: PayloadSettings,
  { isVelocity, contentHandling }: Surroundings,
  isMapped: boolean,
): (x: Exchange) => Payload | Verdict {
  const conversionOf = compileRequestConversion(settings, contentHandling);
  const choose = compileRequestTemplates(requestTemplates, passthroughBehavior, bodyTemplates(isVelocity));
  return (x) => {
    const conversion = conversionOf === null ? KEEP : conversionOf(x);
    if (convertBody(x, conversion) !== CONTINUE) return FAULT;
    const parsed = isMapped ? parseBody(x.bufferedBody) : null;
    if (parsed === BROKEN_JSON) return x.fail(FAULTS.INVALID_JSON_BODY, null, 'mapping the body');
    const template = choose(x);
    if (template === UNSUPPORTED) return x.fail(FAULTS.UNSUPPORTED_MEDIA_TYPE, null, 'choosing a request template');
    if (template === PASSTHROUGH) return { bytes: x.bufferedBody ?? NOTHING, parsed, overrides: null };
    if (holdsBytes(x, conversion)) return failedToRead(x);
    if (!(template instanceof VelocityTemplate)) return { bytes: template, parsed, overrides: null };
    const rendered = template.render(x, x.bufferedBody, 'request');
    if (rendered instanceof TemplateFailure)
      return x.fail(FAULTS.API_CONFIGURATION_ERROR, rendered, 'rendering the request template');
    x.responseOverrides = rendered.overrides;
    return { bytes: Buffer.from(rendered.text, 'utf8'), parsed, overrides: rendered.overrides };
  };
}
