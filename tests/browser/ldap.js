// A directory server that knows as much of LDAP as the gateway asks: it lets anybody in, and answers every search with all of its people.
import { createServer } from 'node:net';

const RESULT_DONE = 0x65;
const RESULT_SIGNED_IN = 0x61;
const SEARCH = 0x63;
const SIGN_IN = 0x60;

const lengthOf = (count) => (count < 0x80 ? [count] : count < 0x100 ? [0x81, count] : [0x82, count >> 8, count & 0xff]);

/** One element: its tag, and what is in it. */
function element(tag, ...parts) {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

const SUCCESS = [element(0x0a, [0]), element(0x04, ''), element(0x04, '')];

const entry = (address) => element(0x64, element(0x04, `cn=${address}`),
  element(0x30, element(0x30, element(0x04, 'mail'), element(0x31, element(0x04, address)))));

/** Tag, head and whole length of the element that these octets begin with; nothing if more of them are needed. */
function headOf(octets) {
  if (octets.length < 2) return undefined;
  const [tag, first] = octets;
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (octets.length < 2 + more) return undefined;
  const content = more ? octets.readUIntBE(2, more) : first;
  return { tag, head: 2 + more, whole: 2 + more + content };
}

/** What a message is answered with. */
function answer(message, people) {
  const inside = message.subarray(headOf(message).head);
  const id = inside.subarray(0, headOf(inside).whole);
  const { tag } = headOf(inside.subarray(id.length));
  const said = (...parts) => element(0x30, id, element(...parts));
  if (tag === SIGN_IN) return [said(RESULT_SIGNED_IN, ...SUCCESS)];
  if (tag !== SEARCH) return [];
  return [...people.map((address) => element(0x30, id, entry(address))), said(RESULT_DONE, ...SUCCESS)];
}

/** A server with these people, who can be others later. */
export async function startLdap(people) {
  let now = people;
  const server = createServer((socket) => {
    let before = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (octets) => {
      before = Buffer.concat([before, octets]);
      for (let found = headOf(before); found && before.length >= found.whole; found = headOf(before)) {
        for (const said of answer(before.subarray(0, found.whole), now)) socket.write(said);
        before = before.subarray(found.whole);
      }
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `ldap://127.0.0.1:${server.address().port}`,
    has: (others) => { now = others; },
    stop: () => new Promise((ended) => server.close(ended)),
  };
}

/** Tables of the settings file: two domains whose recipients are in that directory. */
export const directorySettings = (ldap) => `
[[domain]]
name = "ldap.example"
next_hop = ["127.0.0.1:9"]
directory = "corp-ad"
[[domain]]
name = "sister.example"
next_hop = ["127.0.0.1:9"]
directory = "corp-ad"
[[directory]]
name = "corp-ad"
url = ["${ldap.url}"]
base = "dc=corp,dc=example"
`;
