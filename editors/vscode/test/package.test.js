// What is packaged is whole, and what it promises is there.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { mkdtempSync, readFileSync, statSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, posix, resolve } = require('node:path');
const { test } = require('node:test');
const { listFiles } = require('@vscode/vsce');
const { mlc } = require('./support');

const here = resolve(__dirname, '..');
const json = path => JSON.parse(readFileSync(join(here, path), 'utf8'));
const { contributes, ...manifest } = json('package.json');

test('every file that the manifest names is packaged, and nothing of the workshop', async () => {
  const packaged = await listFiles({ cwd: here, dependencies: false });
  const { grammars, languages, snippets } = contributes;
  const named = [manifest.main, manifest.icon, languages[0].configuration, ...[...grammars, ...snippets].map(c => c.path)];
  for (const path of named) assert.ok(packaged.includes(posix.normalize(path)), `${path} is not in ${packaged}`);
  assert.deepEqual(packaged.filter(path => /node_modules|^test|^src/.test(path)), []);
  assert.ok(statSync(join(here, 'dist/mlspec.vsix')).size > 50_000);
});

test('commands and settings of the code are those of the manifest', () => {
  const code = ['extension', 'plan', 'server'].map(name => readFileSync(join(here, `src/${name}.js`), 'utf8')).join('\n');
  const found = pattern => [...new Set([...code.matchAll(pattern)].map(m => m[1]))].sort();
  assert.deepEqual(found(/registerCommand\('([^']+)'/g), contributes.commands.map(c => c.command).sort());
  // The client itself reads the trace.
  const settings = [...found(/set\.get\('([^']+)'/g), 'trace.server'].map(name => `mlspec.${name}`);
  assert.deepEqual(settings.sort(), Object.keys(contributes.configuration.properties).sort());
});

/** The text of a snippet when every placeholder is left as it is. */
const expanded = ({ body }) => [body].flat().join('\n').replace(/\$\{\d+:([^}]*)\}/g, '$1').replace(/\$\d+/g, '');

const checked = (text, ...command) => {
  const file = join(mkdtempSync(join(tmpdir(), 'mlspec-')), 'snippet.mlspec');
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync(mlc, [...command, file], { encoding: 'utf8' });
  assert.equal(status, 0, `${text}\n${stdout}${stderr}`);
};

const snippets = Object.values(json('snippets/mlspec.json'));

test('whole snippets are sound specs, parts parse in their place', () => {
  for (const snippet of snippets) {
    const text = expanded(snippet);
    if (text.startsWith('mlspec')) {
      checked(`${text}\n`, 'check', '--no-data');
      checked(`${text}\n`, 'fmt', '--check');
      continue;
    }
    const entry = /^[a-z]+ (=|\{)/.test(text);
    checked(`mlspec 1\n\n${entry ? `train { ${text} }` : text}\n`, 'dump', '--stage', 'nodes');
  }
});
