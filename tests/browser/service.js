// A server whose people come in by the sign-in service of their organisation, and that service.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onFreePort, startServer } from './gateway.js';
import { CLIENT, startIdentity } from './identity.js';
import { directorySettings, startLdap } from './ldap.js';

/** With which accounts of the server itself come in. */
export const PASSWORD = 'four quiet words for tests';

/** Which groups of the service may what. */
const GROUPS = `
[[sign_in.group]]
group = "mail-owners"
role = "owner"
[[sign_in.group]]
group = "mail-operators"
role = "operator"
[[sign_in.group]]
group = "mail-desk"
role = "viewer"
domain = ["corp.example"]
`;

/** Makes an account of the server itself. */
export function addAccount(server, name, role) {
  server.command(['account', 'add', name, '--role', role]);
  server.command(['account', 'password', name], `${PASSWORD}\n`);
}

/** Both, with `people` at the service, which is called Corp, and `root` at the server alone, and a directory of recipients. `stop` ends all. */
export function startService(people) {
  return onFreePort((http) => startServiceAt(http, people));
}

async function startServiceAt(http, people) {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-secret-'));
  const secret = join(folder, 'secret');
  writeFileSync(secret, `${CLIENT.secret}\n`, { mode: 0o600 });
  const identity = await onFreePort((port) => startIdentity({ console: `http://127.0.0.1:${http}`, people, port }));
  const ldap = await startLdap(['ann@ldap.example', 'bob@ldap.example']);
  const settings = `${directorySettings(ldap)}
[sign_in]
issuer = "${identity.issuer}"
name = "Corp"
client_id = "${CLIENT.id}"
client_secret_file = ${JSON.stringify(secret)}
${GROUPS}`;
  try {
    const server = await startServer({ http, settings });
    addAccount(server, 'root', 'owner');
    const stop = async () => {
      await server.stop();
      await identity.stop();
      await ldap.stop();
      rmSync(folder, { recursive: true, force: true });
    };
    return { server, identity, stop };
  } catch (error) {
    await identity.stop();
    await ldap.stop();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
