/**
 * What Kubernetes takes. Its API is in `kubernetes-types` as TypeScript, and TypeScript refuses in a literal what an API server refuses with
 * strict field validation: fields that do not exist, fields that are missing, text where a number belongs.
 */
import path from 'node:path';
import ts from 'typescript';
import type { Manifest } from './chart.js';
import { ROOT } from './deployed.js';

/** Module of `kubernetes-types` by API group. */
const MODULES: Readonly<Record<string, string>> = {
  v1: 'core/v1',
  'apps/v1': 'apps/v1',
  'autoscaling/v2': 'autoscaling/v2',
  'networking.k8s.io/v1': 'networking/v1',
  'policy/v1': 'policy/v1',
};
const FILE = path.join(ROOT, 'tools/deploy/src/manifests.ts'); // never written
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
};

/** Everything that is wrong with these manifests, as sentences; none when Kubernetes would take them. */
export function problemsOf(manifests: readonly Manifest[]): string[] {
  const unknown = manifests.filter(({ apiVersion }) => MODULES[apiVersion] === undefined);
  if (unknown.length > 0) return unknown.map(({ apiVersion, kind }) => `${kind}: no types for ${apiVersion}`);
  const lines = manifests.map(
    (manifest) =>
      `(${JSON.stringify(manifest)}) satisfies import('kubernetes-types/${MODULES[manifest.apiVersion]}.d.ts').${manifest.kind};`,
  );
  const text = `${lines.join('\n')}\nexport {};\n`;
  return diagnosticsOf(text).map((diagnostic) => {
    const { line } = ts.getLineAndCharacterOfPosition(
      diagnostic.file ?? ts.createSourceFile(FILE, text, OPTIONS.target!),
      diagnostic.start ?? 0,
    );
    const manifest = manifests[line];
    return `${manifest?.kind} ${manifest?.metadata.name}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`;
  });
}

/** Read once: the types of the API are large. */
const sources = new Map<string, ts.SourceFile | undefined>();

function diagnosticsOf(text: string): readonly ts.Diagnostic[] {
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists, readFile } = host;
  const source = ts.createSourceFile(FILE, text, { languageVersion: OPTIONS.target!, impliedNodeFormat: ts.ModuleKind.ESNext });
  host.getSourceFile = (name, ...rest) => {
    if (name === FILE) return source;
    if (!sources.has(name)) sources.set(name, getSourceFile.call(host, name, ...rest));
    return sources.get(name);
  };
  host.fileExists = (name) => name === FILE || fileExists.call(host, name);
  host.readFile = (name) => (name === FILE ? text : readFile.call(host, name));
  return ts.getPreEmitDiagnostics(ts.createProgram([FILE], OPTIONS, host));
}
