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
/** How a server says once everything runs that it does. */
const READY = '"event":"ready"';
const START_LIMIT_MS = 180_000;

/** How a program says that somebody else listens where it was told to. */
const TAKEN = /Address already in use|something listens on \S+ already|EADDRINUSE/;
const STARTS_MAX = 5;

/**
 * Where the ports of the tests begin: above the last one that browsers refuse (10080), below those that systems give to
 * outgoing connections, so that none of those takes one between our look and the server's. Each worker has a part of its own,
 * and begins in it where no other run is likely to.
 */
const FIRST_PORT = 11_000;
const PORTS_OF_WORKER = 1_000;
const PARTS = 9;
let turn = process.pid;

/** A port nobody listens on, which nobody else in this run is given. */
export async function freePort() {
  const part = (Number(process.env.TEST_PARALLEL_INDEX ?? -1) + 1) % PARTS;
  for (let tries = 0; tries < PORTS_OF_WORKER; tries += 1) {
    const port = FIRST_PORT + part * PORTS_OF_WORKER + (turn += 1) % PORTS_OF_WORKER;
    if (await isFree(port)) return port;
  }
  throw new Error('no free port');
}

function isFree(port) {
  return new Promise((found) => {
    const server = createServer();
    server.once('error', () => found(false));
    server.listen(port, '127.0.0.1', () => server.close(() => found(true)));
  });
}

/** What `start` makes of a free port; of another one if somebody else was quicker to listen there. */
export async function onFreePort(start) {
  for (let starts = 1; ; starts += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (!TAKEN.test(error.message) || starts === STARTS_MAX) throw error;
    }
  }
}

/**
 * One gateway with a data folder of its own. `history` is the number of attempts of a simulated week, `weeks` how many of
 * them go by, `rate` how many live attempts there are in a minute, `seed` makes the same week again. With `data`, a folder that is kept, it can be started
 * again, on the same `http` port if a page is still open. `began` is when it was started: what its weeks hold is older.
 */
export function startGateway({ history = 3000, weeks = 2, rate = 120, seed = 1, data, http: sameHttp } = {}) {
  return onFreePort(async (smtp) => {
    const folder = data ?? mkdtempSync(join(tmpdir(), 'portcullis-browser-'));
    const http = sameHttp ?? await freePort();
    const began = new Date().toISOString();
    const child = spawn(
      binary,
      ['--data-dir', folder, 'demo', '--smtp', `127.0.0.1:${smtp}`, '--http', `127.0.0.1:${http}`,
        '--history', `${history}`, '--weeks', `${weeks}`, '--rate', `${rate}`, '--seed', `${seed}`],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const url = `http://127.0.0.1:${http}`;
    // The page line is printed once everything runs.
    const { line, said, stop } = await started(child, url, `//127.0.0.1:${http}/`, () => {
      if (!data) rmSync(folder, { recursive: true, force: true });
    });
    return { url, entrance: line.match(SET_UP)[0], began, smtp, http, folder, pid: child.pid, stop, said };
  });
}

/**
 * One server as an operator runs it, at this port: no demo, no traffic, with these tables of the settings file. `command` runs the command
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
  const { stop } = await started(child, url, READY, () => rmSync(folder, { recursive: true, force: true }));
  const command = (words, input = '') =>
    execFileSync(binary, ['--config', file, '--yes', ...words], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
  return { url, stop, command };
}

/**
 * Waits until a server that was launched has said a line with `word`, and answers: that line, what it said so far, and how to
 * stop it and clear up after it. An answer alone could be somebody else's, who listens where it was to.
 */
async function started(child, url, word, clear) {
  const streams = [child.stdout, child.stderr].map((stream) => {
    const heard = { text: '' };
    stream.setEncoding('utf8').on('data', (piece) => { heard.text += piece; });
    return heard;
  });
  const said = () => streams.map(({ text }) => text).join('');
  // What comes after the last line end is part of a line.
  const lineWith = () => streams.flatMap(({ text }) => text.split('\n').slice(0, -1)).find((line) => line.includes(word));
  const ended = new Promise((done) => child.once('close', done));
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    if (!isOver()) {
      child.kill('SIGTERM');
      const slow = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(slow);
    }
    clear();
  };
  const deadline = Date.now() + START_LIMIT_MS;
  while (!lineWith() || !(await answers(`${url}/healthz`))) {
    if (isOver() || Date.now() > deadline) {
      // All it said is there when its streams are closed.
      if (isOver()) await ended;
      await stop();
      throw new Error(`the server did not start:\n${said()}`);
    }
    await new Promise((later) => setTimeout(later, 100));
  }
  return { line: lineWith(), said, stop };
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
