// The plan of a spec beside it: layers with shapes, parameters, FLOPs and memory, as `mlc plan` prints them.
//
// A read-only document, so that it can be searched, selected and split like any other. The compiler reads the
// spec from its file: the plan is that of the text as saved, and is made anew on each save.
'use strict';

const { execFile } = require('node:child_process');
const { basename } = require('node:path');
const vscode = require('vscode');
const { planArguments } = require('./server');

const SCHEME = 'mlspec-plan';

/** @implements {vscode.TextDocumentContentProvider} */
class Plans {
  /** @param {() => { program: string, data: string }} settings */
  constructor(settings) {
    this.settings = settings;
    this.changed = new vscode.EventEmitter();
    this.onDidChange = this.changed.event;
  }

  /** The address of the plan of a spec. @param {vscode.Uri} spec */
  static of(spec) {
    const title = `/${basename(spec.fsPath)} plan`;
    return vscode.Uri.from({ scheme: SCHEME, path: title, query: spec.toString() });
  }

  /** @param {vscode.Uri} plan */
  provideTextDocumentContent(plan) {
    const spec = vscode.Uri.parse(plan.query);
    const { program, data } = this.settings();
    const options = { env: { ...process.env, NO_COLOR: '1' }, maxBuffer: 1 << 24 };
    return new Promise(shown => {
      execFile(program, planArguments(spec.fsPath, data), options, (error, out, wrong) => {
        const lost = error && typeof error.code !== 'number';
        if (lost) shown(`${program} cannot be run: ${error.message}\nset "mlspec.path" to the compiler\n`);
        // What is wrong with a spec stands in its own editor too; here it says why there is no plan.
        else shown(error ? `${out}${wrong}` : out);
      });
    });
  }

  /** Makes the plan of a spec anew where it is shown. @param {vscode.TextDocument} document */
  saved(document) {
    if (document.languageId === 'mlspec') this.changed.fire(Plans.of(document.uri));
  }

  /** Opens the plan of the spec that is being edited. */
  async show() {
    const spec = vscode.window.activeTextEditor?.document;
    if (spec?.languageId !== 'mlspec') return;
    if (spec.isUntitled) {
      await vscode.window.showInformationMessage('Save the spec first: its plan is made from the file.');
      return;
    }
    const plan = Plans.of(spec.uri);
    const shown = vscode.workspace.textDocuments.some(d => d.uri.toString() === plan.toString());
    const document = await vscode.workspace.openTextDocument(plan);
    if (shown) this.changed.fire(plan);
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.Beside,
      preserveFocus: true,
      preview: false,
    });
  }
}

module.exports = { Plans, SCHEME };
