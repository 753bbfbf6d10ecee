/** The case files of templates. Expected texts come from the original engine; see tools/vtl-oracle. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { VariableTree } from './context-variables.js';
import { VtlRenderError, VtlSyntaxError } from './errors.js';
import { ParameterMaps } from './input-variable.js';
import { MappingTemplate, type TemplateRequest } from './mapping-template.js';
import { readCases, written, type Case } from './testing/case-file.js';

type Texts = Record<string, string>;

function requestOf(one: Case): TemplateRequest {
  const { path, querystring, header } = JSON.parse(one.params) as Record<'path' | 'querystring' | 'header', Texts>;
  const variables = JSON.parse(one.context) as VariableTree;
  return {
    body: one.body,
    parameters: new ParameterMaps(path, querystring, header),
    context: (name) => (Object.hasOwn(variables, name) ? variables[name]! : null),
    stageVariables: JSON.parse(one.stage) as TemplateRequest['stageVariables'],
  };
}

/** What it prints, or the message it ends with, behind the kind of case that is. */
function answer(one: Case): string {
  try {
    return `prints ${MappingTemplate.compile(one.input).render(requestOf(one)).text}`;
  } catch (cause) {
    if (cause instanceof VtlSyntaxError) return `refuses ${cause.message}`;
    if (cause instanceof VtlRenderError) return `fails ${cause.message}`;
    throw cause;
  }
}

for (const file of ['language.cases.md', 'methods.cases.md', 'variables.cases.md']) {
  describe(file, () => {
    for (const one of readCases(readFileSync(new URL(file, import.meta.url), 'utf8'))) {
      test(`${one.title}: ${written(one.input)} (${file}:${one.line})`, () =>
        expect(answer(one)).toBe(`${one.kind} ${one.expected}`));
    }
  });
}
