// The built extension, with the client library inside, against the real server.
'use strict';

const assert = require('node:assert/strict');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { mlc, open, root, spec, type, until, vscode } = require('./support');

const { editor } = vscode;
const extension = require('../dist/extension.js');
const context = { subscriptions: [] };
const token = { isCancellationRequested: false, onCancellationRequested: () => ({ dispose() {} }) };

before(async () => {
  editor.settings['mlspec.path'] = mlc;
  editor.settings['mlspec.data'] = join(root, 'specs');
  await extension.activate(context);
  assert.deepEqual(editor.messages, []);
});

after(() => extension.deactivate());

const found = document => editor.diagnostics.get(document.uri.toString());
const provider = name => {
  const all = editor.providers[name];
  assert.ok(all?.length, `the server offers nothing for ${name}`);
  return all.at(-1);
};
const wrong = spec('xor.mlspec').replace('Dense(', 'Dens(');

test('a mistake is shown where it stands, with its code, and goes when it is mended', async () => {
  const document = await open('wrong.mlspec', wrong);
  const [first] = await until(() => found(document)?.length && found(document), 'diagnostics');
  assert.equal(document.getText(first.range), 'Dens');
  assert.equal(first.source, 'mlc');
  assert.match(String(first.code?.value ?? first.code), /::/);

  await type(document, 'Dens(', 'Dense(');
  await until(() => found(document)?.length === 0, 'no diagnostics');
});

test('a fix of the server mends the text', async () => {
  const document = await open('fix.mlspec', wrong);
  const [first] = await until(() => found(document)?.length && found(document), 'diagnostics');
  const asked = { diagnostics: [first], only: undefined, triggerKind: 1 };
  const actions = await provider('registerCodeActionsProvider').provideCodeActions(document, first.range, asked, token);
  const fix = actions.find(a => a.kind?.value === 'quickfix' && a.edit);
  assert.ok(fix, actions.map(a => a.title).join('\n'));
  const edits = fix.edit.changes.flatMap(([, all]) => all);
  assert.equal(document.after(edits), wrong.replace('Dens(', 'Dense('));
});

test('symbols and folds come from the server', async () => {
  const document = await open('sound.mlspec', spec('xor.mlspec'));
  await until(() => found(document)?.length === 0, 'no diagnostics');
  const symbols = await provider('registerDocumentSymbolProvider').provideDocumentSymbols(document, token);
  assert.ok(symbols.length > 1, 'no symbols');
  const folds = await provider('registerFoldingRangeProvider').provideFoldingRanges(document, {}, token);
  assert.ok(folds.length > 1, 'no folds');
});

test('what stands beside the code comes from the server', async () => {
  const document = await open('beside.mlspec', spec('digits.mlspec'));
  // Its data lie in the folder that the settings name, so nothing is left to say.
  await until(() => found(document)?.length === 0, 'no diagnostics');

  const hover = await provider('registerHoverProvider').provideHover(document, document.find('Dense').start, token);
  assert.match([hover.contents].flat().map(part => part.value).join('\n'), /Dense/);

  const all = new vscode.Range(new vscode.Position(0, 0), document.positionAt(document.text.length));
  const hints = await provider('registerInlayHintsProvider').provideInlayHints(document, all, token);
  assert.ok(hints.some(hint => String(hint.label).includes('[B, 128]')), JSON.stringify(hints));

  const lenses = await provider('registerCodeLensProvider').provideCodeLenses(document, token);
  const above = lenses.find(lens => lens.command);
  assert.match(above.command.title, /parameters/);
  assert.equal(above.command.command, 'mlspec.plan');
});

test('names are completed where they are typed', async () => {
  const document = await open('typed.mlspec', spec('xor.mlspec').replace('activation=tanh', 'activation=ta'));
  const place = document.find('activation=ta').end;
  const asked = { triggerKind: 0, triggerCharacter: undefined };
  const answer = await provider('registerCompletionItemProvider').provideCompletionItems(document, place, token, asked);
  const labels = (answer.items ?? answer).map(item => item.label);
  assert.ok(labels.includes('tanh'), labels.join(' '));
});

test('formatting is that of the compiler', async () => {
  const document = await open('loose.mlspec', spec('xor.mlspec').replace('train {', 'train   {'));
  const edits = await provider('registerDocumentFormattingEditProvider')
    .provideDocumentFormattingEdits(document, { tabSize: 2, insertSpaces: true }, token);
  assert.equal(document.after(edits), spec('xor.mlspec'));
});

test('the plan stands beside its spec and is made anew on save', async () => {
  const document = await open('planned.mlspec', spec('xor.mlspec'));
  vscode.window.activeTextEditor = { document };
  await editor.commands['mlspec.plan']();
  const plan = editor.shown.at(-1);
  assert.match(await plan.getText(), /parameters/);

  const again = new Promise(told => editor.providers['mlspec-plan'][0].onDidChange(told));
  await editor.fire('workspace.onDidSaveTextDocument', document);
  assert.equal((await again).toString(), plan.uri.toString());

  vscode.window.activeTextEditor = { document: await open('broken.mlspec', wrong) };
  await editor.commands['mlspec.plan']();
  assert.match(await editor.shown.at(-1).getText(), /Dens/);
});

test('another program is started when the user names it, and a missing one is told', async () => {
  editor.settings['mlspec.path'] = '/nowhere/mlc';
  const change = { affectsConfiguration: name => 'mlspec.path'.startsWith(name) };
  await editor.fire('workspace.onDidChangeConfiguration', change);
  assert.match(editor.messages.at(-1), /did not start \(\/nowhere\/mlc\)/);

  editor.settings['mlspec.path'] = mlc;
  await editor.fire('workspace.onDidChangeConfiguration', change);
  const document = await open('later.mlspec', wrong);
  await until(() => found(document)?.length, 'diagnostics of the new server');
});
