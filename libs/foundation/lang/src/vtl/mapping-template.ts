/**
 * A mapping template of API Gateway: Velocity with `$input`, `$util`, `$context` and `$stageVariables` (data-plane reference 5).
 * Compiled once, rendered for each request; it reads what it is given and nothing else.
 */
import { Budget, type RenderLimits } from './budget.js';
import { compileTemplate, type CompiledTemplate } from './compile.js';
import { ContextVariables, type ContextReader, type Overrides } from './context-variables.js';
import { InputVariable, type RequestParameters } from './input-variable.js';
import { JavaMap } from './java-values.js';
import { UtilVariable } from './util-variable.js';

/** What a template may see of a request. */
export interface TemplateRequest {
  /** The payload as text: of the caller in a request template, of the integration in a response template. */
  readonly body: string;
  /** Values as a template prints them: of several of one name the last. */
  readonly parameters: RequestParameters;
  readonly context: ContextReader;
  readonly stageVariables: Readonly<Record<string, string>>;
}

export interface Rendered {
  readonly text: string;
  /** null when the template sets none. */
  readonly overrides: Overrides | null;
}

const NAMES = ['input', 'util', 'context', 'stageVariables'] as const;

export class MappingTemplate {
  readonly #readsStageVariables: boolean;

  private constructor(private readonly compiled: CompiledTemplate) {
    this.#readsStageVariables = compiled.mayRead('stageVariables');
  }

  /** Otherwise the body need not be there. */
  get readsInput(): boolean {
    return this.compiled.mayRead('input');
  }

  /** Throws VtlSyntaxError. */
  static compile(template: string, charsMax?: number): MappingTemplate {
    return new MappingTemplate(compileTemplate(template, NAMES, charsMax));
  }

  /** Throws VtlRenderError, which names line and column; nothing else. */
  render(request: TemplateRequest, limits?: RenderLimits): Rendered {
    const budget = new Budget(limits);
    const context = new ContextVariables(request.context);
    const stageVariables = this.#readsStageVariables ? new JavaMap(new Map(Object.entries(request.stageVariables))) : null;
    const input = new InputVariable(request.body, request.parameters, budget);
    const text = this.compiled.render([input, new UtilVariable(budget), context, stageVariables], budget);
    return { text, overrides: context.overrides(budget) };
  }
}
