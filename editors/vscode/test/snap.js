// The colours of the corpus, token by token, are those of `test/snap`. `npm run update` writes them anew.
'use strict';

const { spawnSync } = require('node:child_process');
const { cpSync, existsSync, mkdtempSync, readdirSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');

const here = resolve(__dirname, '..');
const corpus = resolve(here, '../../grammar/corpus');
const kept = join(__dirname, 'snap');
const update = process.argv.includes('--update');

// The tool keeps its snapshots beside the specs, which are nobody's but the compiler's: it works on copies.
const scratch = mkdtempSync(join(tmpdir(), 'mlspec-snap-'));
const specs = readdirSync(corpus).filter(name => name.endsWith('.mlspec'));
for (const spec of specs) {
  cpSync(join(corpus, spec), join(scratch, spec));
  const snapshot = join(kept, `${spec}.snap`);
  if (!update && !existsSync(snapshot)) throw new Error(`${spec} has no snapshot: npm run update`);
  if (!update) cpSync(snapshot, join(scratch, `${spec}.snap`));
}

const tool = join(here, 'node_modules/vscode-tmgrammar-test/dist/snapshot.js');
const options = ['--config', 'package.json', ...(update ? ['--updateSnapshot'] : [])];
const { status } = spawnSync(process.execPath, [tool, ...options, join(scratch, '*.mlspec')], { cwd: here, stdio: 'inherit' });
if (update) for (const spec of specs) cpSync(join(scratch, `${spec}.snap`), join(kept, `${spec}.snap`));
process.exit(status ?? 1);
