// Starts `mlc lsp` and hands it to the editor; everything that the editor shows of a spec comes from there.
'use strict';

const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');
const { Plans, SCHEME } = require('./plan');
const { programAt, serverOptions } = require('./server');

/** @type {LanguageClient | undefined} */
let client;

/** What the user set, with the program as it is to be started. */
function settings() {
  const set = vscode.workspace.getConfiguration('mlspec');
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const path = set.get('path', 'mlc');
  return { path, folder, program: programAt(path, folder), data: set.get('data', '') };
}

/** A line above a model that says its size shows its plan when it is clicked. */
const clickable = lens => {
  if (lens?.command?.command === '') {
    Object.assign(lens.command, { command: 'mlspec.plan', tooltip: 'Show the plan of the spec' });
  }
  return lens;
};

const middleware = {
  provideCodeLenses: async (document, token, next) => (await next(document, token))?.map(clickable),
  resolveCodeLens: async (lens, token, next) => clickable(await next(lens, token)),
};

/** Starts a server; a program that is missing is told with a way out. */
async function start() {
  const { data, program, ...where } = settings();
  const options = {
    documentSelector: [
      { scheme: 'file', language: 'mlspec' },
      { scheme: 'untitled', language: 'mlspec' },
    ],
    initializationOptions: { data },
    synchronize: { configurationSection: 'mlspec' },
    middleware,
  };
  client = new LanguageClient('mlspec', 'mlspec', serverOptions(where), options);
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const open = 'Open Settings';
    const why = `The mlspec server did not start (${program}): ${error.message ?? error}`;
    // Not awaited: the editor goes on without a server, with colours and snippets.
    vscode.window.showErrorMessage(why, open).then(chosen => {
      if (chosen === open) vscode.commands.executeCommand('workbench.action.openSettings', 'mlspec.path');
    });
  }
}

async function stop() {
  const last = client;
  client = undefined;
  await last?.stop();
}

async function restart() {
  await stop();
  await start();
}

/** @param {vscode.ExtensionContext} context */
async function activate(context) {
  const plans = new Plans(settings);
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, plans),
    vscode.workspace.onDidSaveTextDocument(document => plans.saved(document)),
    vscode.commands.registerCommand('mlspec.plan', () => plans.show()),
    vscode.commands.registerCommand('mlspec.restart', restart),
    vscode.workspace.onDidChangeConfiguration(change => {
      // Another data folder is told to the running server; another program needs another process.
      if (change.affectsConfiguration('mlspec.path')) return restart();
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
