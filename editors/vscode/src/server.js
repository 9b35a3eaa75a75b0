// Which program serves, and what it is told: everything about it that needs no editor.
'use strict';

const { homedir } = require('node:os');
const { isAbsolute, join } = require('node:path');

/**
 * The compiler as a path or a name for `PATH`.
 *
 * @param {string} path What the user set: `mlc`, `~/bin/mlc`, `${workspaceFolder}/target/debug/mlc`
 * @param {string | undefined} folder The first folder that is open; what has a slash in it is relative to it
 */
function programAt(path, folder) {
  const named = path.trim() || 'mlc';
  const home = named.replace(/^~(?=[\\/])/, () => homedir());
  const full = home.replace('${workspaceFolder}', () => folder ?? '.');
  const relative = /[\\/]/.test(full) && !isAbsolute(full) && folder !== undefined;
  return relative ? join(folder, full) : full;
}

/**
 * How to start the server; it speaks over its standard streams.
 *
 * @param {{ path: string, folder?: string }} settings
 */
function serverOptions({ path, folder }) {
  return { command: programAt(path, folder), args: ['lsp'], options: { cwd: folder } };
}

/**
 * The arguments that show the plan of a spec.
 *
 * @param {string} file
 * @param {string} data The data folder, or nothing
 */
function planArguments(file, data) {
  return ['plan', file, ...(data ? ['--data', data] : [])];
}

module.exports = { planArguments, programAt, serverOptions };
