// A sender for journeys: one transaction over real SMTP, from an address of its own.
import { createConnection } from 'node:net';

/** Sends one message; the reply that ended it, as { code, text, ref }. */
export function send({ from, to, ip = '127.8.77.1', subject = 'A word from outside', port = Number(process.env.GATEWAY_SMTP) }) {
  const lines = ['EHLO sender.example', `MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA',
    `From: <${from}>\r\nTo: <${to}>\r\nSubject: ${subject}\r\nMessage-ID: <${Date.now()}.${Math.random()}@sender.example>\r\n\r\nHello.\r\n.`, 'QUIT'];
  return new Promise((done, failed) => {
    const socket = createConnection({ host: '127.0.0.1', port, localAddress: ip });
    let heard = '';
    let last;
    socket.setEncoding('utf8').setTimeout(20_000, () => socket.destroy(new Error('the gateway is silent')));
    socket.on('data', (text) => {
      heard += text;
      for (let end = heard.indexOf('\r\n'); end >= 0; end = heard.indexOf('\r\n')) {
        const line = heard.slice(0, end);
        heard = heard.slice(end + 2);
        if (line[3] === '-' || last) continue;
        const code = Number(line.slice(0, 3));
        const ends = code >= 400 || lines.length === 1;
        if (ends) last = { code, text: line, ref: line.match(/\[ref (\w+)\]/)?.[1] };
        if (last) socket.end('QUIT\r\n');
        else socket.write(`${lines.shift()}\r\n`);
      }
    });
    socket.on('error', failed).on('close', () => (last ? done(last) : failed(new Error('the gateway hung up'))));
  });
}
