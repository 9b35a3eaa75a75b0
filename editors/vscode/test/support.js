// What the tests share: the compiler, specs, the built extension inside the stand-in for the editor.
'use strict';

const Module = require('node:module');
const { existsSync, mkdtempSync, readFileSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');

const root = resolve(__dirname, '../../..');

/** The compiler: `MLC_BIN`, or what `cargo build` made of the repository. */
const mlc = resolve(process.env.MLC_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug/mlc'));
if (!existsSync(mlc)) {
  throw new Error(`${mlc} is missing: run \`cargo build\` in the repository, or name a binary in MLC_BIN`);
}

const stub = join(__dirname, 'stub/vscode.js');
const plain = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) => (request === 'vscode' ? stub : plain(request, ...rest));

const vscode = require('vscode');

/** A document of the editor, with what the client asks of one. */
class Document {
  constructor(path, text) {
    Object.assign(this, { uri: vscode.Uri.file(path), languageId: 'mlspec', version: 1, text });
    Object.assign(this, { fileName: path, isUntitled: false, isDirty: false, isClosed: false });
  }
  getText(range) {
    return range ? this.text.slice(this.offsetAt(range.start), this.offsetAt(range.end)) : this.text;
  }
  offsetAt({ line, character }) {
    const lines = this.text.split('\n');
    return lines.slice(0, line).join('\n').length + (line > 0 ? 1 : 0) + character;
  }
  positionAt(offset) {
    const before = this.text.slice(0, offset).split('\n');
    return new vscode.Position(before.length - 1, before.at(-1).length);
  }
  /** The place of a text, which must be there. */
  find(text) {
    const at = this.text.indexOf(text);
    if (at < 0) throw new Error(`no \`${text}\` in ${this.fileName}`);
    return new vscode.Range(this.positionAt(at), this.positionAt(at + text.length));
  }
  /** The text after edits, which do not overlap. */
  after(edits) {
    const places = edits.map(e => [this.offsetAt(e.range.start), this.offsetAt(e.range.end), e.newText]);
    places.sort((a, b) => b[0] - a[0]);
    return places.reduce((text, [lo, hi, insert]) => text.slice(0, lo) + insert + text.slice(hi), this.text);
  }
}

/** Opens a text as a file of its own. */
async function open(name, text) {
  const path = join(mkdtempSync(join(tmpdir(), 'mlspec-')), name);
  writeFileSync(path, text);
  const document = new Document(path, text);
  vscode.editor.documents.push(document);
  await vscode.editor.fire('workspace.onDidOpenTextDocument', document);
  return document;
}

/** Replaces a text as if it was typed. */
async function type(document, old, text) {
  const range = document.find(old);
  const change = { range, rangeOffset: document.offsetAt(range.start), rangeLength: old.length, text };
  document.text = document.after([{ range, newText: text }]);
  document.version += 1;
  await vscode.editor.fire('workspace.onDidChangeTextDocument', { document, contentChanges: [change], reason: undefined });
}

/** Waits until a question has an answer that is not nothing. */
async function until(question, what) {
  for (let left = 400; left > 0; left -= 1) {
    const answer = await question();
    if (answer) return answer;
    await new Promise(go => setTimeout(go, 25));
  }
  throw new Error(`waited in vain for ${what}`);
}

const spec = name => readFileSync(join(root, 'specs', name), 'utf8');

module.exports = { Document, mlc, open, root, spec, type, until, vscode };
