/** What an operator should know about a compiled stage. An error means that part of the definition is broken, a warning that it is refused or has no effect. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** The place as an operator knows it, e.g. `/pets/{id} GET integration.uri`, `stage.canarySettings`. */
  readonly path: string;
  readonly message: string;
}

/** Collects diagnostics while compiling; never stops at the first. */
export class Diagnostics {
  private readonly found: Diagnostic[] = [];

  error(path: string, message: string): void {
    this.found.push({ severity: 'error', path, message });
  }

  warning(path: string, message: string): void {
    this.found.push({ severity: 'warning', path, message });
  }

  /** By path, then message: independent of the order in which they were found. */
  sorted(): Diagnostic[] {
    return this.found.toSorted((a, b) => compareText(a.path, b.path) || compareText(a.message, b.message));
  }
}

/** Code unit order; never the machine's locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
