// Refreshes with tuf-js, downloads a target and compares it with a file, byte for byte.
//
//   node check.mjs URL METADATA-DIR ROOT TARGET FILE
//
// URL is where metadata/ and targets/ are served. METADATA-DIR is the client's memory: the first run
// puts ROOT there, later runs go on from what is there. Exit code 0: the same bytes; 1: not.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Updater } from 'tuf-js';

if (process.argv.length !== 7) {
  console.error('usage: node check.mjs URL METADATA-DIR ROOT TARGET FILE');
  process.exit(2);
}
const [url, metadataDir, root, name, file] = process.argv.slice(2);
const targetDir = mkdtempSync(join(tmpdir(), 'preload25-tuf-js-'));

try {
  mkdirSync(metadataDir, { recursive: true });
  if (!existsSync(join(metadataDir, 'root.json'))) {
    copyFileSync(root, join(metadataDir, 'root.json'));
  }
  const updater = new Updater({
    metadataDir,
    metadataBaseUrl: `${url}/metadata`,
    targetDir,
    targetBaseUrl: `${url}/targets`,
    config: { fetchRetry: false },
  });
  await updater.refresh();
  const info = await updater.getTargetInfo(name);
  if (info === undefined) {
    throw new Error(`${name}: no such target`);
  }
  const got = readFileSync(await updater.downloadTarget(info));
  if (!got.equals(readFileSync(file))) {
    throw new Error(`${name}: not the bytes of ${file}`);
  }
  console.log(`${name}: ${got.length} bytes, as published`);
} catch (error) {
  console.error(`check.mjs: ${error.name}: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(targetDir, { recursive: true });
}
