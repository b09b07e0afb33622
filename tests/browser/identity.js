// A real OpenID Connect provider (oidc-provider) on the loopback interface, with people whose groups a test can change.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

export const CLIENT = { id: 'portcullis', secret: 'a secret of the browser tests, no other' };

/**
 * The provider for a console at `console`, at this port, where it can be started again. `people` are claims by subject.
 * Whoever signs in there types their subject and any password.
 */
export async function startIdentity({ console: home, people, port }) {
  const server = createServer();
  await new Promise((ready, failed) => server.once('error', failed).listen(port, '127.0.0.1', ready));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      redirect_uris: [`${home}/sign-in/provider/back`],
      post_logout_redirect_uris: [`${home}/signed-out`],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }],
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    cookies: { keys: ['of the browser tests'] },
    findAccount: (_, subject) => people[subject] && { accountId: subject, claims: () => ({ sub: subject, ...people[subject] }) },
    // Nobody is asked whether they consent: the client is the house's own.
    async loadExistingGrant(context) {
      const grant = new context.oidc.provider.Grant({ clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  server.on('request', provider.callback());
  return {
    issuer,
    port: server.address().port,
    stop: () => new Promise((stopped) => {
      server.close(stopped);
      server.closeAllConnections();
    }),
  };
}

/** Says at the provider who one is. */
export async function beThere(page, subject) {
  await page.locator('input[name=login]').fill(subject);
  await page.locator('input[name=password]').fill('whatever');
  await page.locator('button[type=submit]').click();
}

/** The same, but the browser is not sent back: gives the address it would be sent to, below `home`. */
export async function answerOf(page, subject, home) {
  const action = await page.locator('form').first().evaluate((form) => form.action);
  const form = { prompt: 'login', login: subject, password: 'whatever' };
  let answer = await page.request.post(action, { form, maxRedirects: 0 });
  for (let hops = 0; hops < 10; hops += 1) {
    const next = new URL(answer.headers().location, answer.url()).href;
    if (next.startsWith(`${home}/`)) return next;
    answer = await page.request.get(next, { maxRedirects: 0 });
  }
  throw new Error('the provider sends nobody back');
}
