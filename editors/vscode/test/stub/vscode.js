// A stand-in for the editor: as much of the module `vscode` as the language client and this extension use.
//
// Plain data is what it is in the editor; events are fired and providers asked by the tests, through `editor`.
// An event that no test fires never comes.
'use strict';

const { fileURLToPath, pathToFileURL } = require('node:url');

// ---- data ----

class Uri {
  constructor({ scheme, authority = '', path = '', query = '', fragment = '' }) {
    Object.assign(this, { scheme, authority, path, query, fragment });
  }
  static file(path) {
    return Uri.parse(pathToFileURL(path).href);
  }
  static from(parts) {
    return new Uri(parts);
  }
  static parse(text) {
    const [, scheme, authority, path, query, fragment] = text.match(/^([^:]+):(?:\/\/([^/?#]*))?([^?#]*)\??([^#]*)#?(.*)$/);
    const [p, q, f] = [path, query, fragment].map(decodeURIComponent);
    return new Uri({ scheme, authority, path: p, query: q, fragment: f });
  }
  get fsPath() {
    return this.scheme === 'file' ? fileURLToPath(this.toString()) : this.path;
  }
  with(parts) {
    return new Uri({ ...this, ...parts });
  }
  toString() {
    const place = this.scheme === 'file' ? `//${this.authority}` : this.authority && `//${this.authority}`;
    const query = this.query && `?${encodeURIComponent(this.query)}`;
    return `${this.scheme}:${place}${encodeURI(this.path)}${query}${this.fragment && `#${this.fragment}`}`;
  }
}

class Position {
  constructor(line, character) {
    Object.assign(this, { line, character });
  }
}

class Range {
  constructor(start, end, ...rest) {
    const points = rest.length ? [new Position(start, end), new Position(...rest)] : [start, end];
    [this.start, this.end] = points;
  }
}

/** A class whose constructor keeps its arguments under these names. */
const record = (...names) =>
  class {
    constructor(...values) {
      names.forEach((name, i) => (this[name] = values[i]));
    }
  };

class EventEmitter {
  #listeners = new Set();
  event = (listener, self) => {
    const bound = self === undefined ? listener : listener.bind(self);
    this.#listeners.add(bound);
    return { dispose: () => this.#listeners.delete(bound) };
  };
  fire(value) {
    return Promise.all([...this.#listeners].map(listener => listener(value)));
  }
  dispose() {
    this.#listeners.clear();
  }
}

class CancellationTokenSource {
  constructor() {
    this.token = { isCancellationRequested: false, onCancellationRequested: () => ({ dispose() {} }) };
  }
  cancel() {
    this.token.isCancellationRequested = true;
  }
  dispose() {}
}

class WorkspaceEdit {
  constructor() {
    this.changes = [];
  }
  set(uri, edits) {
    this.changes.push([uri, edits]);
  }
  replace(uri, range, newText) {
    this.set(uri, [new TextEdit(range, newText)]);
  }
}

const TextEdit = record('range', 'newText');
TextEdit.replace = (range, text) => new TextEdit(range, text);
TextEdit.insert = (at, text) => new TextEdit(new Range(at, at), text);
TextEdit.delete = range => new TextEdit(range, '');

class CodeActionKind {
  constructor(value) {
    this.value = value;
  }
  append(part) {
    return new CodeActionKind(this.value ? `${this.value}.${part}` : part);
  }
  static Empty = new CodeActionKind('');
}
const kinds = {
  QuickFix: 'quickfix',
  Refactor: 'refactor',
  RefactorExtract: 'refactor.extract',
  RefactorInline: 'refactor.inline',
  RefactorMove: 'refactor.move',
  RefactorRewrite: 'refactor.rewrite',
  Source: 'source',
  SourceOrganizeImports: 'source.organizeImports',
  SourceFixAll: 'source.fixAll',
  Notebook: 'notebook',
};
for (const [name, value] of Object.entries(kinds)) CodeActionKind[name] = new CodeActionKind(value);

class MarkdownString {
  constructor(value = '') {
    this.value = value;
  }
  appendCodeblock(code, language = '') {
    this.value += `\n\`\`\`${language}\n${code}\n\`\`\`\n`;
    return this;
  }
  appendMarkdown(text) {
    this.value += text;
    return this;
  }
}

/** Numbers by name. */
const numbered = (from, ...names) => Object.fromEntries(names.flatMap((name, i) => [[name, from + i], [from + i, name]]));

const data = {
  Uri,
  Position,
  Range,
  Selection: class extends Range {},
  EventEmitter,
  CancellationTokenSource,
  WorkspaceEdit,
  TextEdit,
  CodeActionKind,
  MarkdownString,
  Disposable: class {
    constructor(dispose) {
      this.dispose = dispose;
    }
  },
  CancellationError: class extends Error {},
  Diagnostic: record('range', 'message', 'severity'),
  DiagnosticRelatedInformation: record('location', 'message'),
  Location: record('uri', 'range'),
  Hover: record('contents', 'range'),
  CodeAction: record('title', 'kind'),
  CodeLens: record('range', 'command'),
  CompletionItem: record('label', 'kind'),
  CompletionList: record('items', 'isIncomplete'),
  InlayHint: record('position', 'label', 'kind'),
  SnippetString: record('value'),
  RelativePattern: record('baseUri', 'pattern'),
  DiagnosticSeverity: numbered(0, 'Error', 'Warning', 'Information', 'Hint'),
  DiagnosticTag: numbered(1, 'Unnecessary', 'Deprecated'),
  CompletionItemKind: numbered(0, 'Text', 'Method', 'Function', 'Constructor', 'Field', 'Variable', 'Class', 'Interface', 'Module', 'Property', 'Unit', 'Value', 'Enum', 'Keyword', 'Snippet', 'Color', 'File', 'Reference', 'Folder', 'EnumMember', 'Constant', 'Struct', 'Event', 'Operator', 'TypeParameter'),
  CompletionTriggerKind: numbered(0, 'Invoke', 'TriggerCharacter', 'TriggerForIncompleteCompletions'),
  CodeActionTriggerKind: numbered(1, 'Invoke', 'Automatic'),
  TextDocumentSaveReason: numbered(1, 'Manual', 'AfterDelay', 'FocusOut'),
  TextDocumentChangeReason: numbered(1, 'Undo', 'Redo'),
  CompletionItemTag: numbered(1, 'Deprecated'),
  SymbolTag: numbered(1, 'Deprecated'),
  DocumentHighlightKind: numbered(0, 'Text', 'Read', 'Write'),
  FileType: numbered(0, 'Unknown', 'File', 'Directory'),
  FoldingRangeKind: numbered(1, 'Comment', 'Imports', 'Region'),
  InlineCompletionTriggerKind: numbered(0, 'Invoke', 'Automatic'),
  LogLevel: numbered(0, 'Off', 'Trace', 'Debug', 'Info', 'Warning', 'Error'),
  NotebookCellKind: numbered(1, 'Markup', 'Code'),
  ProgressLocation: { SourceControl: 1, Window: 10, Notification: 15 },
  SignatureHelpTriggerKind: numbered(1, 'Invoke', 'TriggerCharacter', 'ContentChange'),
  SymbolKind: numbered(0, 'File', 'Module', 'Namespace', 'Package', 'Class'),
  ViewColumn: { Active: -1, Beside: -2 },
  env: { appName: 'stand-in', language: 'en', createTelemetryLogger: () => ({}) },
  version: '1.91.0',
  l10n: { t: text => text },
};

// What the client builds answers of, and the tests read no further.
for (const name of [
  'CallHierarchyIncomingCall', 'CallHierarchyItem', 'CallHierarchyOutgoingCall', 'Color', 'ColorInformation',
  'ColorPresentation', 'DocumentHighlight', 'DocumentLink', 'DocumentSymbol', 'FoldingRange', 'InlayHintLabelPart',
  'InlineCompletionItem', 'InlineCompletionList', 'LinkedEditingRanges', 'ParameterInformation', 'SelectionRange',
  'SemanticTokens', 'SemanticTokensEdit', 'SemanticTokensEdits', 'SignatureHelp', 'SignatureInformation',
  'SnippetTextEdit', 'SymbolInformation', 'TypeHierarchyItem',
]) {
  data[name] = record('a', 'b', 'c', 'd', 'e');
}

// ---- what the tests steer and see ----

const editor = {
  /** Providers by the method that took them, such as `registerHoverProvider`. */
  providers: {},
  /** Diagnostics by address. */
  diagnostics: new Map(),
  commands: {},
  settings: {},
  documents: [],
  shown: [],
  messages: [],
  /** Tells everybody who listens: `fire('workspace.onDidOpenTextDocument', document)`. */
  fire: (event, value) => emitter(event).fire(value),
};

const emitters = new Map();
function emitter(name) {
  if (!emitters.has(name)) emitters.set(name, new EventEmitter());
  return emitters.get(name);
}

const disposable = () => ({ dispose() {} });

/** A namespace of the editor; its events are made when they are asked for. */
function namespace(name, own) {
  return new Proxy(own, {
    get(target, key) {
      if (key in target || typeof key === 'symbol') return target[key];
      if (/^on(Did|Will)/.test(key)) return emitter(`${name}.${key}`).event;
      if (/^register|^create/.test(key)) {
        return (...args) => {
          (editor.providers[key] ??= []).push(args.length > 1 ? args[1] : args[0]);
          return disposable();
        };
      }
      return undefined;
    },
  });
}

const watcher = () => ({ onDidCreate: disposable, onDidChange: disposable, onDidDelete: disposable, dispose() {} });

const workspace = namespace('workspace', {
  get textDocuments() {
    return editor.documents;
  },
  notebookDocuments: [],
  workspaceFolders: undefined,
  getWorkspaceFolder: () => undefined,
  createFileSystemWatcher: watcher,
  getConfiguration(section) {
    const inside = key => (section ? `${section}.${key}` : key);
    const nested = key => {
      const found = Object.entries(editor.settings).filter(([name]) => name.startsWith(`${key}.`));
      return found.length ? Object.fromEntries(found.map(([name, v]) => [name.slice(key.length + 1), v])) : undefined;
    };
    const get = (key, otherwise) => editor.settings[inside(key)] ?? nested(inside(key)) ?? otherwise;
    return { get, has: key => get(key) !== undefined, inspect: () => undefined, ...nested(section) };
  },
  registerTextDocumentContentProvider(scheme, provider) {
    editor.providers[scheme] = [provider];
    return disposable();
  },
  async openTextDocument(uri) {
    const provider = editor.providers[uri.scheme]?.[0];
    return { uri, getText: () => provider.provideTextDocumentContent(uri) };
  },
  async applyEdit(edit) {
    editor.shown.push(edit);
    return true;
  },
});

const channel = () => ({
  name: 'mlspec', lines: [], append() {}, appendLine() {}, clear() {}, show() {}, hide() {}, dispose() {},
  replace() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {}, logLevel: 3, onDidChangeLogLevel: disposable,
});

const told = async text => void editor.messages.push(text);

const window = namespace('window', {
  activeTextEditor: undefined,
  visibleTextEditors: [],
  tabGroups: { all: [], onDidChangeTabs: disposable, onDidChangeTabGroups: disposable },
  createOutputChannel: channel,
  showErrorMessage: told,
  showWarningMessage: told,
  showInformationMessage: told,
  async showTextDocument(document) {
    editor.shown.push(document);
  },
  withProgress: (_, task) => task({ report() {} }, new CancellationTokenSource().token),
});

const languages = namespace('languages', {
  // Of a selector only language and scheme matter here.
  match: (selector, document) =>
    [selector].flat().some(s => (!s.language || s.language === document.languageId) && (!s.scheme || s.scheme === document.uri.scheme)) ? 10 : 0,
  createDiagnosticCollection: () => ({
    set(uri, found) {
      editor.diagnostics.set(uri.toString(), found ?? []);
      return emitter('diagnostics').fire(uri.toString());
    },
    delete: uri => editor.diagnostics.delete(uri.toString()),
    clear: () => editor.diagnostics.clear(),
    dispose() {},
  }),
});

const commands = {
  registerCommand(name, run) {
    editor.commands[name] = run;
    return disposable();
  },
  executeCommand: (name, ...args) => editor.commands[name]?.(...args),
};

module.exports = { ...data, workspace, window, languages, commands, editor };
