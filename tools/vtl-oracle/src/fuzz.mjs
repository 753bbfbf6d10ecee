/**
 * Random programs through the original and through our engine; what they print must be the same.
 *
 *   node src/fuzz.mjs [seed] [count]
 *
 * Known differences are kept out: a missing value compared with the empty text; `\$parameter` in a macro, where the original prints
 * what the caller wrote; a calculation without a result joined to a text, of which it prints pieces where we print `null`.
 */
import { MappingTemplate, ParameterMaps } from '@gatehouse/lang';
import fc from 'fast-check';
import { ask } from './oracle.mjs';

const seed = Number(process.argv[2] ?? 1);
const numRuns = Number(process.argv[3] ?? 500);

const BINARY = [' + ', ' - ', ' * ', ' / ', ' % ', ' < ', ' >= ', ' && ', ' || '];
const expression = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('1', '0', '2.5', '-3', '"a"', "'b'", '"$x"', 'true', '$x', '$y', '$x.a', '$i', '9007199254740993'),
    fc.constantFrom('[1..3]', '"x$y#if($x)z#end"', '{"k":$x}', '"$!x.k"', '"a" == "b"', '1 != 1.0'),
    fc
      .tuple(tie('value'), fc.constantFrom(...BINARY), tie('value'))
      .map(([left, operator, right]) => `(${left}${operator}${right})`),
  ),
})).value;
const access = fc.constantFrom(
  ...['.size()', '.get(0)', '.add(1)', '.remove("a")', '.length()', '.substring(1)', '.replaceAll("a", "b")', '.put("k", $x)'],
  ...[
    '.keySet()',
    '.toString()',
    '.equals($y)',
    '.contains("a")',
    '.indexOf("a")',
    '.set(0, 1)',
    '.entrySet()',
    '.isEmpty()',
    '.k',
    '[0]',
  ],
);
const program = fc.letrec((tie) => ({
  statement: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom(
      'text',
      '$x',
      '$!y',
      '\\$z',
      '\n',
      ' ',
      '#break',
      '$foreach.count',
      '$i',
      ' #set($z = 1)',
      '$z',
      '## c\n',
      '#* c *#',
    ),
    fc.constantFrom('\\#if', '\\\\#set', '#unknown(1)', '# ', '\\', '{"a": "$x"}', '$x-$y'),
    expression.map((value) => `#set($x = ${value})`),
    expression.map((value) => `#set($y = ${value})\n`),
    fc.tuple(fc.constantFrom('$x', '$y', '$i'), access).map(([target, tail]) => target + tail),
    fc
      .tuple(expression, tie('statement'), tie('statement'))
      .map(([value, left, right]) => `#if(${value})${left}#else${right}#end`),
    fc.tuple(fc.constantFrom('$x', '$y', '[1..5]'), tie('statement')).map(([list, body]) => `#foreach($i in ${list})${body}#end`),
    fc.tuple(tie('statement'), tie('statement')).map(([left, right]) => left + right),
    tie('statement').map((body) => `#macro(m $x)${body}#end#m($y)`),
    tie('statement').map((body) => `#define($d)${body}#end$d`),
  ),
})).statement;

const templates = fc.sample(program, { seed, numRuns }).map((text) => `#set($x = "ab")#set($y = ["a", 2])${text}|$x|$y.`);
const answers = ask(templates.map((template) => ({ template, params: {}, context: {} })));
let differences = 0;
templates.forEach((template, i) => {
  const [here, there] = [ours(template), answers[i].output ?? 'error'];
  if (here === there || here.includes('null')) return;
  differences++;
  console.log(`${JSON.stringify(template)}\n  here:  ${JSON.stringify(here)}\n  there: ${JSON.stringify(there)}`);
});
console.log(`${templates.length - differences} of ${templates.length} print the same`);
process.exitCode = differences === 0 ? 0 : 1;

function ours(template) {
  const request = { body: '', parameters: new ParameterMaps({}, {}, {}), context: () => null, stageVariables: {} };
  try {
    return MappingTemplate.compile(template).render(request).text;
  } catch (cause) {
    if (/^Vtl/.test(cause.name)) return 'error';
    throw cause;
  }
}
