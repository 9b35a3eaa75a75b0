'use strict';

const assert = require('node:assert/strict');
const { homedir } = require('node:os');
const { test } = require('node:test');
const { planArguments, programAt, serverOptions } = require('../src/server');

test('the program is a name for PATH, or a path in the folder or at home', () => {
  const rows = [
    ['mlc', '/w', 'mlc'],
    ['', '/w', 'mlc'],
    ['/usr/bin/mlc', '/w', '/usr/bin/mlc'],
    ['target/debug/mlc', '/w', '/w/target/debug/mlc'],
    ['${workspaceFolder}/bin/mlc', '/w', '/w/bin/mlc'],
    ['${workspaceFolder}/bin/mlc', '/w$&', '/w$&/bin/mlc'],
    ['~/mlc', undefined, `${homedir()}/mlc`],
    ['~x', '/w', '~x'],
  ];
  for (const [path, folder, wanted] of rows) assert.equal(programAt(path, folder), wanted);
});

test('the server is the compiler over its standard streams', () => {
  assert.deepEqual(serverOptions({ path: 'mlc', folder: '/w' }), { command: 'mlc', args: ['lsp'], options: { cwd: '/w' } });
});

test('a plan looks for data where the user said', () => {
  assert.deepEqual(planArguments('a.mlspec', ''), ['plan', 'a.mlspec']);
  assert.deepEqual(planArguments('a.mlspec', '/d'), ['plan', 'a.mlspec', '--data', '/d']);
});
