/**
 * Parameter mappings (data-plane reference 3.7): what stands left and right of one, read into its parts. Which of them may stand where is
 * the reader's to say.
 *
 *   method.request.{querystring|path|header|multivaluequerystring|multivalueheader}.{name}
 *   integration.request.{querystring|path|header}.{name}
 *   integration.response.{header|multivalueheader}.{name}
 *   method.response.header.{name}, gatewayresponse.header.{name}
 *   method.request.body, integration.response.body, each also with .{JSONPath}
 *   stageVariables.{name}, context.{name}, 'static text'
 *
 * Texts are taken apart here, never turned into patterns or code.
 */
export type MappingExpression =
  | {
      readonly kind: 'parameter';
      readonly side: ParameterSide;
      readonly location: ParameterLocation;
      /** All values of the name, not only one. */
      readonly isMultiValue: boolean;
      readonly name: string;
    }
  /** `path` is empty for the whole body. */
  | { readonly kind: 'body'; readonly side: BodySide; readonly path: string }
  | { readonly kind: 'stageVariable'; readonly name: string }
  | { readonly kind: 'context'; readonly name: string }
  | { readonly kind: 'static'; readonly text: string };

export type ParameterSide = keyof typeof LOCATIONS;
export type ParameterLocation = 'querystring' | 'path' | 'header';
export type BodySide = (typeof BODY_SIDES)[number];

const LOCATIONS = {
  'method.request': ['querystring', 'path', 'header', 'multivaluequerystring', 'multivalueheader'],
  'integration.request': ['querystring', 'path', 'header'],
  'integration.response': ['header', 'multivalueheader'],
  'method.response': ['header'],
  gatewayresponse: ['header'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
const SIDES = Object.keys(LOCATIONS) as ParameterSide[];
const BODY_SIDES = ['method.request', 'integration.response'] as const;

const NAME = /^[a-zA-Z0-9._$-]+$/;
/** Headers that the gateway writes by itself may have any name a header can have. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** `cognito:username` is a claim. */
const CONTEXT_NAME = /^[a-zA-Z0-9._$:-]+$/;
const MULTI_VALUE = 'multivalue';

/** `null` for what is no expression. */
export function parseMappingExpression(text: string): MappingExpression | null {
  if (text.startsWith("'")) return readStatic(text);
  const stageVariable = rest(text, 'stageVariables.');
  if (stageVariable !== null) return NAME.test(stageVariable) ? { kind: 'stageVariable', name: stageVariable } : null;
  const context = rest(text, 'context.');
  if (context !== null) return CONTEXT_NAME.test(context) ? { kind: 'context', name: context } : null;
  return readBody(text) ?? readParameter(text);
}

/** A line break in a static header would end the header. */
function readStatic(text: string): MappingExpression | null {
  return text.length >= 2 && text.endsWith("'") && isPrintable(text) ? { kind: 'static', text: text.slice(1, -1) } : null;
}

function readBody(text: string): MappingExpression | null {
  for (const side of BODY_SIDES) {
    if (text === `${side}.body`) return { kind: 'body', side, path: '' };
    const path = rest(text, `${side}.body.`);
    if (path !== null && path !== '' && isPrintable(path)) return { kind: 'body', side, path };
  }
  return null;
}

function readParameter(text: string): MappingExpression | null {
  for (const side of SIDES) {
    const parameter = rest(text, `${side}.`) ?? '';
    const dot = parameter.indexOf('.');
    const location = parameter.slice(0, Math.max(dot, 0));
    const name = parameter.slice(dot + 1);
    if (!(LOCATIONS[side] as readonly string[]).includes(location)) continue;
    if (!(side === 'gatewayresponse' ? HEADER_NAME : NAME).test(name)) continue;
    const isMultiValue = location.startsWith(MULTI_VALUE);
    const single = (isMultiValue ? location.slice(MULTI_VALUE.length) : location) as ParameterLocation;
    return { kind: 'parameter', side, location: single, isMultiValue, name };
  }
  return null;
}

function isPrintable(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

function rest(text: string, prefix: string): string | null {
  return text.startsWith(prefix) ? text.slice(prefix.length) : null;
}
