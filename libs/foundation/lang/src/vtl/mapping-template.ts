/**
 * A mapping template of API Gateway: Velocity with `$input`, `$util`, `$context` and `$stageVariables` (data-plane reference 5).
 * Compiled once, rendered for each request; it reads what it is given and nothing else.
 */
import type { Buffer } from 'node:buffer';
import { Budget, type RenderLimits } from './budget.js';
import { compileTemplate, type CompiledTemplate } from './compile.js';
import { ContextVariables, type ContextReader, type Overrides } from './context-variables.js';
import { InputVariable, type RequestParameters } from './input-variable.js';
import { TextMap } from './java-values.js';
import { UtilVariable } from './util-variable.js';

/** What a template may see of a request. */
export interface TemplateRequest {
  /** The payload, bytes in UTF-8: of the caller in a request template, of the integration in a response template. */
  readonly body: string | Buffer;
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
  /** Otherwise the body need not be there. */
  readonly readsInput: boolean;
  private readonly readsUtil: boolean;
  private readonly readsContext: boolean;
  private readonly readsStageVariables: boolean;

  private constructor(private readonly compiled: CompiledTemplate) {
    this.readsInput = compiled.mayRead('input');
    this.readsUtil = compiled.mayRead('util');
    this.readsContext = compiled.mayRead('context');
    this.readsStageVariables = compiled.mayRead('stageVariables');
  }

  /** Throws VtlSyntaxError. */
  static compile(template: string, charsMax?: number): MappingTemplate {
    return new MappingTemplate(compileTemplate(template, NAMES, charsMax));
  }

  /** Throws VtlRenderError, which names line and column; nothing else. */
  render(request: TemplateRequest, limits?: RenderLimits): Rendered {
    const budget = new Budget(limits);
    const input = this.readsInput ? new InputVariable(request.body, request.parameters, budget) : null;
    const util = this.readsUtil ? new UtilVariable(budget) : null;
    const context = this.readsContext ? new ContextVariables(request.context) : null;
    const stageVariables = this.readsStageVariables ? new TextMap(request.stageVariables) : null;
    const text = this.compiled.render([input, util, context, stageVariables], budget);
    return { text, overrides: context === null ? null : context.overrides(budget) };
  }
}
