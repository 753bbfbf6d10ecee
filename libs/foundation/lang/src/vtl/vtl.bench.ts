/**
 * Processor time per rendering beside velocityjs, parsed once each: `node src/vtl/vtl.bench.ts` after `tsc -b`.
 *
 * `engine` hands both the same variables, the body already read: templates alone. `request` begins with the bytes of the body as a request
 * does, and both read them once for each rendering; there velocityjs gets an `$input` that does the least that can be done: the bytes as
 * text, and `JSON.parse` of it. Both must print the same.
 */
import { Compile, parse } from 'velocityjs';
import type { TemplateRequest } from '../index.js';

const built = (file: string): Promise<unknown> => import(new URL(`../../dist/${file}.js`, import.meta.url).href);
const { MappingTemplate, ParameterMaps } = (await built('index')) as typeof import('../index.js');
const { Budget } = (await built('vtl/budget')) as typeof import('./budget.js');
const { compileTemplate } = (await built('vtl/compile')) as typeof import('./compile.js');
const { parseJson } = (await built('vtl/json-body')) as typeof import('./json-body.js');

const text = JSON.stringify({
  name: 'Rex',
  age: 4,
  owner: { id: 'u-1', mail: 'a@example.org' },
  pets: Array.from({ length: 10 }, (_, i) => ({ id: i, kind: 'dog', tags: ['a', 'b'] })),
});
const body = Buffer.from(text);
const IDENTITY = { sourceIp: '1.2.3.4' };
const request: TemplateRequest = {
  body,
  parameters: new ParameterMaps({ id: '7' }, { q: 'x' }, { 'X-Trace': 't' }),
  context: (name) => (name === 'identity' ? IDENTITY : name === 'requestId' ? 'r-1' : null),
  stageVariables: { table: 'pets' },
};

/** `$root` is the body. */
const TEMPLATES = {
  'members of the body': '{"name": "$root.name", "age": $root.age, "owner": "$root.owner.id", "mail": "$root.owner.mail"}',
  'a list': '[#foreach($p in $root.pets){"id": $p.id, "kind": "$p.kind"}#if($foreach.hasNext),#end\n#end]',
  'conditions and sums':
    '#set($n = 0)#foreach($i in [1..50])#if($i > 25 && $i != 30)#set($n = $n + $i)#elseif($i == 10)#set($n = $n - 1)#end#end$n',
  'a macro': '#macro(pet $p){"id": $p.id}#end#foreach($p in $root.pets)#pet($p)#end',
  'a text built by parts': '#set($s = "")#foreach($p in $root.pets)#set($s = "$s${p.kind}:$p.id,")#end$s',
};
const READ_BODY = "#set($root = $input.path('$'))";

function print(name: string, mine: () => string, theirs: () => string): void {
  if (mine().trim() !== theirs().trim()) console.log(`${name}: they print otherwise\n  ${mine()}\n  ${theirs()}`);
  const [a, b] = [cost(mine), cost(theirs)];
  const columns = [a, b].map((nanoseconds) => `${(nanoseconds / 1_000).toFixed(2).padStart(8)} us`);
  console.log(`${name.padEnd(32)} ${columns[0]}   velocityjs ${columns[1]}   ${(b / a).toFixed(1)} x`);
}

/** Nanoseconds of processor time per call: the best of five windows. */
function cost(render: () => string): number {
  let best = Infinity;
  for (let window = 0; window < 5; window++) {
    const start = process.cpuUsage();
    let calls = 0;
    let used = 0;
    for (; used < 100_000; calls += 100) {
      for (let i = 0; i < 100; i++) render();
      const { user, system } = process.cpuUsage(start);
      used = user + system;
    }
    best = Math.min(best, (used * 1_000) / calls);
  }
  return best;
}

const tree: unknown = JSON.parse(text);
const root = parseJson(text);
for (const [name, template] of Object.entries(TEMPLATES)) {
  const parsed = parse(template);
  const compiled = compileTemplate(template, ['root']);
  print(
    `engine: ${name}`,
    () => compiled.render([root], new Budget()),
    () => new Compile(parsed).render({ root: tree }),
  );
}

const PARAMETERS =
  '{"id": "$input.params(\'id\')", "ip": "$context.identity.sourceIp", "table": "$stageVariables.table", "r": "$context.requestId"}';
for (const [name, template] of [
  ['parameters and context', PARAMETERS],
  ...Object.entries(TEMPLATES).map(([each, rest]) => [each, READ_BODY + rest] as const),
] as const) {
  const parsed = parse(template);
  const compiled = MappingTemplate.compile(template);
  const { stageVariables, parameters } = request;
  const context = { requestId: 'r-1', identity: IDENTITY };
  const theirs = (): string => {
    let document: unknown;
    const path = (): unknown => (document ??= JSON.parse(body.toString('utf8')));
    const params = (parameter: string): string => parameters.path[parameter] ?? '';
    return new Compile(parsed).render({ input: { path, params }, context, stageVariables });
  };
  print(`request: ${name}`, () => compiled.render(request).text, theirs);
}
