// A kithd with its page on a free port of this machine.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = (name) => join(process.env.KITH_BIN, name);

export async function until(condition, what, patience = 60000) {
  for (const end = Date.now() + patience; ; ) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((again) => setTimeout(again, 50)); // between two looks
  }
}

export class Kithd {
  static async start() {
    const server = new Kithd();
    server.folder = mkdtempSync(join(tmpdir(), 'kith-page-'));
    const config = join(server.folder, 'kithd.yaml');
    writeFileSync(config, 'http:\n  listen: 127.0.0.1:0\n');
    server.process = spawn(bin('kithd'), ['--config', config, '--listen', '127.0.0.1:0', '--data-dir', join(server.folder, 'data')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let log = '';
    server.process.stdout.on('data', (text) => (out += text));
    server.process.stderr.on('data', (text) => (log += text));
    server.ended = new Promise((end) => server.process.on('exit', end));
    await until(() => out.includes('listening on ') && log.includes('metrics on '), 'kithd serves');
    server.address = out.match(/listening on (\S+)/)[1];
    server.url = log.match(/metrics on (http:\/\/[0-9.:]+\/)metrics/)[1];
    return server;
  }

  path(name) {
    return join(this.folder, name);
  }

  kith(...parameters) {
    return execFileSync(bin('kith'), ['--server', this.address, ...parameters], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.ended;
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
