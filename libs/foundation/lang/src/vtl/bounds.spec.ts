/**
 * Faults 52 and 59: whatever a tenant writes is refused when it is written, or ends with an error that names the place, after a bounded
 * number of steps and characters. Steps are counted, so these tests say the same on every machine.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VtlRenderError, VtlSyntaxError } from './errors.js';
import { ParameterMaps } from './input-variable.js';
import { MappingTemplate, type TemplateRequest } from './mapping-template.js';

const REQUEST: TemplateRequest = {
  body: '{"a":{"b":[1,2,{"c":"x"}]},"s":"text","n":5,"d":1.5}',
  parameters: new ParameterMaps({ id: '7' }, { q: 'a' }, { h: 'b' }),
  context: (name) => (name === 'identity' ? { sourceIp: '1.2.3.4' } : name === 'requestId' ? 'r' : null),
  stageVariables: { v: '1' },
};

function ending(template: string, request = REQUEST): string {
  try {
    return `${MappingTemplate.compile(template).render(request).text.length} characters`;
  } catch (cause) {
    if (cause instanceof VtlRenderError || cause instanceof VtlSyntaxError) return cause.reason;
    throw cause;
  }
}

const STEPS = 'The template takes more steps than allowed';
const CHARS = 'The template builds more text than allowed';
const loops = (depth: number, body: string): string =>
  Array.from({ length: depth }, (_, i) => `#foreach($i${i} in [1..999])`).join('') + body + '#end'.repeat(depth);

describe('what would take too long or too much ends with an error', () => {
  for (const [name, template, expected] of [
    ['loops in loops', loops(4, 'x'), STEPS],
    ['loops in loops that do nothing', loops(4, ''), STEPS],
    ['a text that doubles', `#set($s = "xxxxxxxxxx")${loops(1, '#set($s = "$s$s")')}`, CHARS],
    ['a text that doubles by +', `#set($s = "xxxxxxxxxx")${loops(1, '#set($s = $s + $s)')}`, CHARS],
    ['a text that doubles by concat', `#set($s = "xxxxxxxxxx")${loops(1, '#set($s = $s.concat($s))')}`, CHARS],
    ['a replacement that doubles', `#set($s = "x")${loops(1, '#set($s = $s.replace("x", "xx"))')}`, /steps|text/],
    ['a pattern that doubles', `#set($s = "x")${loops(1, '#set($s = $s.replaceAll("x", "xx"))')}`, /steps|text/],
    ['output by the gigabyte', `#set($s = "x")${loops(1, '#set($s = "$s$s$s$s")')}${loops(2, '$s')}`, CHARS],
    ['a body printed over and over', loops(2, '$input.body$input.body'), /steps|text/],
    ['a body written as JSON over and over', loops(2, '$input.json("$")'), /steps|text/],
    ['a list that doubles', `#set($l = [1])${loops(1, '#set($t = $l.addAll($l))')}`, STEPS],
    ['a range without end', '#set($l = [1..2000000000])', STEPS],
    ['a list of itself', '#set($l = [])#set($t = $l.add([$l]))$l', 'A collection contains itself'],
    ['a map of itself', '#set($m = {})#set($m.a = {"b": $m})$m', 'A collection contains itself'],
    ['a list with a thousand million texts in it', `#set($l = [1])${loops(1, '#set($l = [$l, $l])')}$l`, /steps|text|itself/],
    [
      'lists that are compared all the way down',
      `#set($l = [1])#set($k = [1])${loops(1, '#set($l = [$l, $l])#set($k = [$k, $k])')}#if($l == $k)x#end`,
      /steps|itself/,
    ],
    ['macros that call each other', '#macro(a)#b()#b()#end#macro(b)#a()#a()#end#a()', '#a calls itself more than 20 deep'],
    [
      'macros that fan out',
      `${Array.from({ length: 18 }, (_, i) => `#macro(m${i})${`#m${i + 1}()`.repeat(9)}#end`).join('')}#macro(m18)x#end#m0()`,
      STEPS,
    ],
    [
      'parameters that fan out',
      `#macro(m $a)$a$a$a$a#end#macro(n $a)#m("$a$a$a$a")#end#macro(o $a)#n("$a$a$a$a")#end#macro(p $a)#o("$a$a$a$a")#end#macro(q $a)#p("$a$a$a$a")#end#macro(r $a)#q("$a$a$a$a")#end#macro(s $a)#r("$a$a$a$a")#end#s("${'x'.repeat(5_000)}")`,
      /steps|text/,
    ],
    ['#evaluate of itself', "#set($s = '#evaluate($s)')#evaluate($s)", '#evaluate calls itself more than 20 deep'],
    [
      'a pattern that backtracks',
      `#set($s = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")${loops(1, '#set($t = $s.matches("(a*)*(a*)*(a*)*b"))')}`,
      /characters$/,
    ],
    [
      'a pattern with more states than allowed',
      '#set($s = "a")$s.matches("((a{50}){50}){50}")',
      /unfolds to more than 1000 steps/,
    ],
    ['scans in scans', loops(1, '#set($t = $input.path("$..*..*..*"))'), /steps|characters/],
    ['format with wide fields', `#set($s = "")${loops(2, '#set($t = $s.format("%9999s", "x"))')}`, CHARS],
    ['digits without end', `#set($n = 10)${loops(1, '#set($n = $n * $n)')}`, /characters$/],
  ] as const) {
    test(name, () => expect(ending(template)).toMatch(expected));
  }
});

test('a scan of a large body is counted by its nodes', () => {
  const body = JSON.stringify(Array.from({ length: 2_000 }, (_, i) => ({ i, list: [[i], [i, i]] })));
  expect(ending('$input.path("$..i").size()', { ...REQUEST, body })).toBe('4 characters');
  expect(ending(loops(1, '#set($t = $input.path("$..*"))'), { ...REQUEST, body })).toBe(STEPS);
});

test('patterns and paths that are built are forgotten again, and still answer right', () => {
  const many = '#set($s = "a7b")#foreach($i in [1..999])#set($t = $s.replaceAll("($i){40}", "")).#end$s.replaceAll("7", "")';
  expect(ending(many)).toBe('1001 characters');
  expect(
    ending(
      `${loops(1, '#set($t = $input.path("$.a.x$i0.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))')}$input.path("$.s")`,
    ),
  ).toBe('4 characters');
});

test('a body nested without end is no JSON', () => {
  expect(ending('$input.json("$")', { ...REQUEST, body: '['.repeat(100_000) })).toBe('Could not parse the body as JSON');
});

test('a hundred times a thousand rounds of five statements are within the limits', () => {
  expect(ending('#foreach($a in [1..100])#foreach($b in [1..1000])#if($b == 5)x#end#set($c = $b + 1)#end#end')).toBe(
    '100 characters',
  );
});

describe('any text is refused with a place, or renders, or ends with a place', () => {
  const pieces = fc.constantFrom(
    ...[
      '$',
      '#',
      '\\',
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      '"',
      "'",
      '""',
      '.',
      ',',
      ':',
      '!',
      ' ',
      '\n',
      '\t',
      '-',
      '1',
      '0.5',
      '..',
      '*',
      '##',
      '#*',
      '*#',
      '#[[',
      ']]#',
    ],
    ...[
      '$x',
      '${x}',
      '$!x',
      '$x.y',
      '$x.size()',
      '$x[0]',
      '$input',
      '.path("$.a")',
      '.json("$")',
      '$util',
      '.parseJson(',
      '$context',
      '$foreach.index',
    ],
    ...[
      '#set($x = ',
      '#if(',
      '#else',
      '#elseif(',
      '#end',
      '#foreach($i in ',
      '#macro(m $a)',
      '#m(',
      '#define($d)',
      '#evaluate(',
      '#stop',
      '#break',
    ],
    ...['true', 'false', ' == ', ' + ', ' && ', ' < ', 'é', '\u0000', '\ud800'],
  );
  test('pieces of the language in any order', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        expect(typeof ending(parts.join(''))).toBe('string');
      }),
      { seed: 1, numRuns: 6_000 },
    );
  });

  const expression: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(
        '1',
        '0',
        '2.5',
        '-3',
        '"a"',
        "'b'",
        '"$x"',
        'true',
        '$x',
        '$y',
        '$x.a',
        '$i',
        '9007199254740993',
        '$input.path("$.a")',
        '[1..3]',
        '"x$y#if($x)z#end"',
      ),
      fc
        .tuple(
          tie('value'),
          fc.constantFrom(' + ', ' - ', ' * ', ' / ', ' % ', ' == ', ' != ', ' < ', ' >= ', ' && ', ' || '),
          tie('value'),
        )
        .map(([left, operator, right]) => `(${left}${operator}${right})`),
    ),
  })).value;
  const method = fc.constantFrom(
    'size()',
    'get(0)',
    'add(1)',
    'remove("a")',
    'length()',
    'substring(1)',
    'split(",")',
    'replaceAll("a", "b")',
    'put("k", $x)',
    'keySet()',
    'toString()',
    'equals($y)',
    'contains("a")',
    'indexOf("a")',
    'set(0, 1)',
    'entrySet()',
    'isEmpty()',
  );
  const program: fc.Arbitrary<string> = fc.letrec<{ statement: string }>((tie) => ({
    statement: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      fc.constantFrom('text', '$x', '$!y', '\\$x', '\n', '#break', '#stop', '$foreach.count', '$i'),
      expression.map((value) => `#set($x = ${value})`),
      expression.map((value) => `#set($y = [${value.replaceAll(/[()]/g, '')}])`),
      fc.tuple(fc.constantFrom('$x', '$y', '$i'), method).map(([target, call]) => `${target}.${call}`),
      fc
        .tuple(expression, tie('statement'), tie('statement'))
        .map(([value, left, right]) => `#if(${value})${left}#else${right}#end`),
      fc
        .tuple(fc.constantFrom('$x', '$y', '[1..5]', '$input.path("$.a.b")'), tie('statement'))
        .map(([list, body]) => `#foreach($i in ${list})${body}#end`),
      fc.tuple(tie('statement'), tie('statement')).map(([left, right]) => left + right),
      tie('statement').map((body) => `#macro(m $x)${body}#end#m($y)`),
      tie('statement').map((body) => `#define($y)${body}#end`),
    ),
  })).statement;
  test('programs', () => {
    fc.assert(
      fc.property(program, (template) => {
        expect(typeof ending(template)).toBe('string');
      }),
      { seed: 1, numRuns: 3_000 },
    );
  });
  test('the same template and request end the same way', () => {
    fc.assert(
      fc.property(program, (template) => {
        expect(ending(template)).toBe(ending(template));
      }),
      { seed: 2, numRuns: 300 },
    );
  });
});
