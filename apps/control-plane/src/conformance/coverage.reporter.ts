/**
 * Which of the 124 operations of v1 the conformance suite calls, with the AWS SDK, and how they end. After a run of all specs it prints
 * the table and fails where an operation of day-to-day use is not handled, was never called with success, or where
 * docs/compatibility.md says more than the suite showed. `npx vitest run --update` writes the table anew.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ApiGateway } from '@gatehouse/aws-api';
import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node';

const FILE = path.resolve(import.meta.dirname, '../../../../docs/compatibility.md');
const BEGIN = '<!-- generated: coverage -->\n';
const END = '<!-- end of coverage -->\n';

/** Rare, or of AWS alone: tier C of the management reference, which may answer errors only. All others are for day-to-day use, or now and then. */
const RARE = new Set([
  'CreateDomainNameAccessAssociation',
  'DeleteDomainNameAccessAssociation',
  'GetDomainNameAccessAssociations',
  'GetSdk',
  'GetSdkType',
  'GetSdkTypes',
  'RejectDomainNameAccessAssociation',
]);

/** Of one operation: how its calls ended, such as `ok`, `ok page`, `NotFoundException`. */
export type Outcomes = ReadonlyMap<string, ReadonlySet<string>>;

export interface Coverage {
  readonly rows: readonly string[];
  /** What keeps an operation from counting as done. */
  readonly gaps: readonly string[];
}

/** `isHandled`: as the endpoint's table of operations stands, all are. */
export function coverageOf(
  operations: readonly string[],
  outcomes: Outcomes,
  isHandled: (operation: string) => boolean = () => true,
): Coverage {
  const gaps: string[] = [];
  const rows = operations.map((name) => {
    const seen = outcomes.get(name) ?? new Set();
    const isCalled = seen.has('ok') || seen.has('ok page');
    if (isHandled(name) && !isCalled && !RARE.has(name)) gaps.push(`${name} is handled, and never called with success`);
    if (RARE.has(name) && seen.size === 0) gaps.push(`${name} was never called`);
    if (!isHandled(name) && !RARE.has(name)) gaps.push(`${name} is not handled`);
    const errors = [...seen].filter((outcome) => outcome.endsWith('Exception')).sort();
    const called = isCalled ? (seen.has('ok page') ? 'yes, by pages' : 'yes') : 'no';
    return `| ${name} | ${isHandled(name) ? 'yes' : 'no'} | ${called} | ${errors.join(', ')} |`;
  });
  return { rows, gaps };
}

/** What a table says was shown and the outcomes of this run do not have. */
export function overstated(table: string, outcomes: Outcomes): string[] {
  return [...table.matchAll(/^\| (\w+) \| (?:yes|no) \| (no|yes|yes, by pages) \| (.*?) *\|$/gm)].flatMap(
    ([, name, called, errors]) => {
      const seen = outcomes.get(name!) ?? new Set();
      const claims = [...(called === 'yes, by pages' ? ['ok page'] : []), ...errors!.split(', ').filter(Boolean)];
      return claims.filter((claim) => !seen.has(claim)).map((claim) => `${name}: ${claim}`);
    },
  );
}

export default class CoverageReporter implements Reporter {
  private vitest: Vitest | null = null;

  constructor(private readonly directory: string) {}

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
    rmSync(this.directory, { recursive: true, force: true });
    mkdirSync(this.directory, { recursive: true });
  }

  async onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: TestRunEndReason): Promise<void> {
    const vitest = this.vitest!;
    const all = await vitest.globTestSpecifications();
    const isFiltered = modules.length < all.length || vitest.config.testNamePattern !== undefined;
    if (reason !== 'passed' || isFiltered) return;
    const outcomes = this.outcomes();
    const operations = Object.keys(ApiGateway.model.operations).sort();
    const { rows, gaps } = coverageOf(operations, outcomes);
    const text = readFileSync(FILE, 'utf8');
    const [before, rest] = text.split(BEGIN);
    const [table, after] = rest!.split(END);
    const isUpdate = vitest.config.snapshotOptions.updateSnapshot === 'all';
    if (isUpdate) {
      const head = ['| operation | handled | called by the suite | errors provoked |', '|---|---|---|---|'];
      writeFileSync(FILE, `${before}${BEGIN}\n${[...head, ...rows].join('\n')}\n\n${END}${after}`);
    }
    const claims = isUpdate
      ? []
      : overstated(table!, outcomes).map((claim) => `docs/compatibility.md says what no spec showed: ${claim}`);
    const failures = [...gaps, ...claims];
    process.stdout.write(`\n${rows.join('\n')}\n\n${operations.length} operations, ${failures.length} gaps\n`);
    if (failures.length === 0) return;
    process.stdout.write(`${failures.join('\n')}\n`);
    process.exitCode = 1;
  }

  private outcomes(): Outcomes {
    const outcomes = new Map<string, Set<string>>();
    for (const file of readdirSync(this.directory))
      for (const line of readFileSync(path.join(this.directory, file), 'utf8').split('\n').filter(Boolean)) {
        const at = line.indexOf(' ');
        const name = line.slice(0, at);
        outcomes.set(name, (outcomes.get(name) ?? new Set()).add(line.slice(at + 1)));
      }
    return outcomes;
  }
}
