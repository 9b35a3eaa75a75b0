/**
 * mlspec for tree-sitter.
 *
 * Accepts what `grammar/mlspec.pest` accepts and gives the tree that the compiler builds of it: precedence is
 * here, since editors select whole operands. No scanner of its own is needed: newlines are spaces, since no
 * entry starts with an operator or bracket, so the next name on its own ends the entry before it.
 *
 * Looser than the compiler in what only a half-typed text holds: a reserved word behind a point, a number
 * with letters at its end, the first line missing (documentation shows parts of specs).
 */

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

// Loose to tight; both sides of `|>` and so on are one level tighter, but `^` goes on to the right.
const LEVEL = { pipe: 1, compare: 2, range: 3, sum: 4, product: 5, unary: 6, power: 7, as: 8, postfix: 9 };

const RESERVED = ['let', 'input', 'output', 'as', 'in', 'repeat', 'true', 'false'];

const WORD = /[A-Za-z_][A-Za-z0-9_]*/;

/** @param {RuleOrLiteral} rule */
const listed = rule => seq(rule, repeat(seq(',', rule)), optional(','));

module.exports = grammar({
  name: 'mlspec',

  word: $ => $.identifier,

  reserved: { global: _ => RESERVED },

  extras: $ => [/[ \t\r\n]/, $.doc_comment, $.comment],

  supertypes: $ => [$.item, $.entry, $.expression],

  rules: {
    source_file: $ => seq(optional($.header), repeat($.item)),

    header: $ => seq('mlspec', field('version', $.integer), optional(seq('defaults', field('defaults', $.identifier)))),

    item: $ => choice($.param, $.dim, $.import, $.op, $.block, $.section),

    param: $ =>
      seq(
        'param',
        field('name', $.identifier),
        optional(seq(':', field('type', $.type))),
        '=',
        field('value', $.expression),
        optional(seq('in', field('domain', $.expression))),
      ),

    dim: $ => seq('dim', field('name', $.identifier), choice('<=', '='), field('value', $.expression)),

    import: $ => seq('import', field('path', $.string)),

    op: $ =>
      seq(
        'op',
        field('name', $.identifier),
        field('inputs', $.fields),
        '->',
        field('result', choice($.fields, $.type)),
        choice(seq('=', field('formula', $.expression)), field('body', $.body)),
      ),

    block: $ =>
      seq(
        'block',
        field('name', $.identifier),
        optional(field('settings', $.fields)),
        field('inputs', $.fields),
        '->',
        field('outputs', $.fields),
        field('body', $.body),
      ),

    fields: $ => seq('(', optional(listed($.field)), ')'),
    field: $ =>
      seq(
        field('name', $.identifier),
        ':',
        field('type', $.type),
        optional(seq('=', field('default', $.expression))),
      ),

    section: $ => seq(field('word', $.identifier), optional(field('name', $.identifier)), field('body', $.body)),

    body: $ => seq('{', repeat(seq($.entry, optional(','))), '}'),

    entry: $ => choice($.let, $.input, $.output, $.section, $.bind, $.typed),

    let: $ =>
      seq(
        'let',
        field('name', $.identifier),
        repeat(seq(',', field('name', $.identifier))),
        optional(seq(':', field('type', $.type))),
        '=',
        field('value', $.expression),
      ),

    input: $ => seq('input', field('name', $.identifier), ':', field('type', $.type)),

    output: $ =>
      seq(
        'output',
        field('name', $.identifier),
        optional(seq(':', field('type', $.type))),
        '=',
        field('value', $.expression),
      ),

    bind: $ => seq(field('path', $.path), '=', field('value', $.expression)),

    typed: $ =>
      seq(
        field('name', $.identifier),
        repeat(seq(',', field('name', $.identifier))),
        ':',
        field('how', $.expression),
      ),

    // ---- types ----

    type: $ => seq(field('name', $.identifier), optional($.args), optional(field('shape', $.shape))),
    shape: $ => seq('[', optional(listed(choice($.rest, $.any, $.expression))), ']'),
    rest: $ => seq('..', $.identifier),
    any: _ => '_',

    // ---- expressions ----

    expression: $ => choice($.as, $.repeat, $.neg, $.binary, $.range, $.pipe, $._operand),

    _operand: $ => choice($._number, $._primary),
    _number: $ => choice($.integer, $.float, $.percent, $.bytes),
    _primary: $ =>
      choice($.call, $.index, $.member, $.string, $.boolean, $.identifier, $.paren, $.tuple, $.list),

    pipe: $ => prec.left(LEVEL.pipe, seq(field('input', $.expression), '|>', field('stage', $.expression))),
    range: $ => prec.left(LEVEL.range, seq(field('start', $.expression), '..', field('end', $.expression))),
    neg: $ => prec(LEVEL.unary, seq('-', $.expression)),

    binary: $ => {
      const level = (associate, level, signs) =>
        associate(
          level,
          seq(field('left', $.expression), field('operator', signs), field('right', $.expression)),
        );
      return choice(
        level(prec.left, LEVEL.compare, choice('==', '!=', '<', '<=', '>', '>=')),
        level(prec.left, LEVEL.sum, choice('+', '-')),
        level(prec.left, LEVEL.product, choice('*', '/', '@')),
        level(prec.right, LEVEL.power, '^'),
      );
    },

    // Names the weights of one stage, so it takes less than an expression.
    as: $ =>
      prec(
        LEVEL.as,
        seq(field('stage', choice($.repeat, $._operand)), 'as', field('path', choice($.path, alias($._weights, $.path)))),
      ),

    repeat: $ =>
      seq(
        'repeat',
        '(',
        optional(seq(field('variable', $.identifier), 'in')),
        field('count', $.expression),
        ')',
        field('body', $._operand),
      ),

    call: $ => prec(LEVEL.postfix, seq(field('callee', $._primary), $.args)),
    args: $ => seq('(', optional(listed($.arg)), ')'),
    arg: $ => seq(optional(seq(field('name', $.identifier), '=')), field('value', $.expression)),

    index: $ =>
      prec(LEVEL.postfix, seq(field('base', $._primary), '[', listed(choice($.expression, $.slice, $.axes)), ']')),
    axes: _ => '..',
    slice: $ =>
      seq(
        optional(field('start', $.expression)),
        ':',
        optional(field('stop', $.expression)),
        optional(seq(':', optional(field('step', $.expression)))),
      ),

    member: $ => prec(LEVEL.postfix, seq(field('base', $._primary), '.', field('name', $._part))),

    // A point of a path touches both of its neighbours, so that a half-typed `data.` does not eat the next line.
    path: $ => seq($.identifier, repeat(seq(token.immediate('.'), $._part))),
    // A weight may be called as a published file has it: `as output.dense`.
    _weights: $ =>
      seq(alias(choice(...RESERVED), $.identifier), repeat1(seq(token.immediate('.'), $._part))),
    _part: $ =>
      choice(alias(token.immediate(WORD), $.identifier), alias(token.immediate(/[0-9]+/), $.identifier)),

    paren: $ => seq('(', $.expression, ')'),
    tuple: $ =>
      seq('(', $.expression, ',', optional(seq($.expression, repeat(seq(',', $.expression)), optional(','))), ')'),
    list: $ => seq('[', optional(listed(choice($.by, $.expression))), ']'),
    by: $ => seq(field('metric', $.expression), 'by', field('column', $.identifier)),

    // ---- words ----

    identifier: _ => WORD,
    boolean: _ => choice('true', 'false'),
    percent: _ => /[0-9]+(\.[0-9]+)?%/,
    bytes: _ => /[0-9]+(\.[0-9]+)?[KMGT]i?B/,
    float: _ => /[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)/,
    integer: _ => /[0-9]+/,
    string: _ => /"(\\[^\n]|[^"\\\n])*"/,

    // The longer beginning wins over a comment of the same length.
    doc_comment: _ => token(prec(1, /\/\/\/[^\n]*/)),
    comment: _ => token(/\/\/[^\n]*/),
  },
});
