// Starts the real binary with the demo's week and traffic, on free ports of the loopback interface, for tests and pictures.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** The binary under test: PORTCULLIS, or what `cargo build` made. */
export const binary = resolve(process.env.PORTCULLIS ?? join(here, '../../target/debug/portcullis'));

/** The end of the line with which the demo says where its console is, and how to get in. */
const SET_UP = /https?:\/\/127\.0\.0\.1:\d+\/\S*/;
const START_LIMIT_MS = 180_000;

export async function freePort() {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

/**
 * One gateway with a data folder of its own. `history` is the number of attempts of a simulated week, `weeks` how many of
 * them go by, `rate` how many live attempts there are in a minute, `seed` makes the same week again. With `data`, a folder that is kept, it can be started
 * again, on the same `http` port if a page is still open.
 */
export async function startGateway({ history = 3000, weeks = 2, rate = 120, seed = 1, data, http: sameHttp } = {}) {
  const folder = data ?? mkdtempSync(join(tmpdir(), 'portcullis-browser-'));
  const smtp = await freePort();
  const http = sameHttp ?? await freePort();
  const child = spawn(
    binary,
    ['--data-dir', folder, 'demo', '--smtp', `127.0.0.1:${smtp}`, '--http', `127.0.0.1:${http}`,
      '--history', `${history}`, '--weeks', `${weeks}`, '--rate', `${rate}`, '--seed', `${seed}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const url = `http://127.0.0.1:${http}`;
  const deadline = Date.now() + START_LIMIT_MS;
  const { said, stop } = await started(child, url, deadline, () => {
    if (!data) rmSync(folder, { recursive: true, force: true });
  });
  // The page line is printed once everything runs.
  while (!said.join('').includes(`:${http}/`) && Date.now() < deadline) {
    await new Promise((later) => setTimeout(later, 50));
  }
  const entrance = said.join('').split('\n').filter((line) => line.includes(`:${http}/`)).map((line) => line.match(SET_UP)?.[0]).find(Boolean);
  return { url, entrance: entrance ?? `${url}/`, smtp, http, folder, pid: child.pid, stop, said: () => said.join('') };
}

/**
 * One server as an operator runs it: no demo, no traffic, with these tables of the settings file. `command` runs the command
 * line against it; what it says on standard output is given back.
 */
export async function startServer({ http, settings }) {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-server-'));
  const file = join(folder, 'portcullis.toml');
  const url = `http://127.0.0.1:${http}`;
  writeFileSync(file, `[server]
hostname = "mx.corp.example"
data_dir = ${JSON.stringify(join(folder, 'data'))}
public_url = "${url}"
[[smtp.listener]]
listen = "127.0.0.1:0"
[dns]
resolver = ["127.0.0.1:9"]
[[domain]]
name = "corp.example"
next_hop = ["127.0.0.1:9"]
recipients = "accept_all"
[http]
listen = "127.0.0.1:${http}"
[metrics]
listen = "off"
${settings}`);
  const child = spawn(binary, ['--config', file, 'serve'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const { stop } = await started(child, url, Date.now() + START_LIMIT_MS, () => rmSync(folder, { recursive: true, force: true }));
  const command = (words, input = '') =>
    execFileSync(binary, ['--config', file, '--yes', ...words], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
  return { url, stop, command };
}

/** Waits until a server that was launched answers; what it said so far, and how to stop it and clear up after it. */
async function started(child, url, deadline, clear) {
  const said = [];
  child.stdout.on('data', (text) => said.push(`${text}`));
  child.stderr.on('data', (text) => said.push(`${text}`));
  const ended = new Promise((done) => child.once('exit', done));
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      const slow = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(slow);
    }
    clear();
  };
  while (!(await answers(`${url}/healthz`))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`the server did not start:\n${said.join('')}`);
    }
    await new Promise((later) => setTimeout(later, 100));
  }
  return { said, stop };
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/** What the gateway's own log says, for messages of failed tests. */
export function logOf(gateway) {
  return readFileSync(join(gateway.folder, 'portcullis.log'), 'utf8');
}
