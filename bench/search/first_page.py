#!/usr/bin/env python3
"""first_page.py BINARY DATA [TIMES]: what a page of the console costs the server, over real HTTP.

Starts BINARY on the data folder DATA (made by the store's example `fill`; see `run`), makes the first owner, asks for
each list TIMES times (30) over one kept connection, and prints for each: milliseconds from the request to the last
octet (median, worst), CPU milliseconds of the server for each (all its threads), kilobytes as sent (gzip). Then it
sends attempts over SMTP and says how long after the reply each was in the list. Everything listens on 127.0.0.1.
"""
import gzip, html, http.client, os, re, socket, statistics, subprocess, sys, tempfile, time, urllib.parse

WEEK = "from=now-7d"
LISTS = [
    ("as it opens: newest of 24 hours", "/messages"),
    ("newest of the week", f"/messages?view=all&{WEEK}"),
    ("newest rejected", f"/messages?view=rejected&{WEEK}"),
    ("one sender of 5,000 hosts", f"/messages?view=all&{WEEK}&q=from:host17.sender.example"),
    ("a part of an address", f"/messages?view=all&{WEEK}&q=from:*e.1*7%40host12*"),
    ("a pattern", f"/messages?view=all&{WEEK}&q=from:~%22e%5C.%5B0-9%5D*77%40host1%22"),
    ("a negation", f"/messages?view=rejected&{WEEK}&q=NOT+to:user7%40corp.example"),
    ("nothing found, with its proposals", f"/messages?view=all&{WEEK}&q=zzqqxx"),
    ("ordered by sender", f"/messages?view=all&{WEEK}&sort=from"),
    ("second page", None),
    ("counts, tabs and histogram alone", f"/messages/figures?view=all&{WEEK}"),
    ("the same of a filter", f"/messages/figures?view=all&{WEEK}&q=from:host17.sender.example"),
]
SETTINGS = """config_version = 1
[server]
hostname = "mx.bench.test"
data_dir = "{data}"
[[smtp.listener]]
listen = "127.0.0.1:{smtp}"
[[domain]]
name = "bench.test"
next_hop = ["127.0.0.1:9"]
recipients = "directory"
directory_file = "{folder}/recipients.txt"
[dns]
resolver = ["127.0.0.9:53"]
[http]
listen = "127.0.0.1:{http}"
[log]
level = "warn"
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, binary, data):
        self.folder = tempfile.mkdtemp(prefix="first-page-")
        self.http, self.smtp = free_port(), free_port()
        with open(f"{self.folder}/recipients.txt", "w") as f:
            f.write("user\n")
        with open(f"{self.folder}/portcullis.toml", "w") as f:
            f.write(SETTINGS.format(data=data, folder=self.folder, smtp=self.smtp, http=self.http))
        self.config = ["--config", f"{self.folder}/portcullis.toml"]
        self.log = open(f"{self.folder}/log", "w")
        self.binary, began = binary, time.time()
        self.process = subprocess.Popen([binary, "serve", *self.config], stdout=self.log, stderr=self.log)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.http), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.time() - began > 600:
                    sys.exit(f"it does not start: {open(self.log.name).read()}")
                time.sleep(0.05)
        print(f"started after {time.time() - began:.1f} s, {self.cpu_ms():.0f} ms of CPU, {self.memory_mib()} MiB of its own")
        self.connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)
        self.cookies = {}

    def cpu_ms(self):
        # In ticks of 10 ms, but with the threads that have ended: those that help a search live as long as it does.
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) >> 10

    def ask(self, path, form=None):
        headers = {"Accept": "text/html", "Accept-Encoding": "gzip"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"http://127.0.0.1:{self.http}"
            headers["Sec-Fetch-Site"] = "same-origin"
        began = time.perf_counter()
        self.connection.request("POST" if form else "GET", path, urllib.parse.urlencode(form) if form else None, headers)
        response = self.connection.getresponse()
        body = response.read()
        took = (time.perf_counter() - began) * 1e3
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        octets = len(body)
        if response.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return response.status, body.decode("utf-8", "replace"), took, octets

    def sign_in(self):
        printed = subprocess.run([self.binary, "account", "setup-link", *self.config], capture_output=True, text=True)
        link = re.search(r"/set-up/\S+", printed.stdout)
        if not link:
            sys.exit(f"no link: {printed.stdout}{printed.stderr}")
        page = self.ask(link[0])[1]
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        form = {"csrf": token[1] if token else "", "name": f"bench{time.time_ns()}", "password": "a long password", "again": "a long password"}
        status = self.ask(link[0], form)[0]
        if status not in (302, 303):
            sys.exit(f"signing in: {status}")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def measure(server, name, path, times):
    cpu, took, octets = server.cpu_ms(), [], 0
    for _ in range(times):
        status, _, ms, octets = server.ask(path)
        if status != 200:
            sys.exit(f"{path}: {status}")
        took.append(ms)
    each = (server.cpu_ms() - cpu) / times
    print(f"{name:36} {statistics.median(took):9.1f} {max(took):9.1f} {each:9.1f} {octets / 1000:9.1f}", flush=True)


def findable(server, times):
    """Seconds from a reply to the moment its attempt is in the list."""
    took = []
    with socket.create_connection(("127.0.0.1", server.smtp)) as s:
        lines = s.makefile("rwb")

        def say(text):
            if text:
                lines.write(text.encode() + b"\r\n")
                lines.flush()
            while True:
                line = lines.readline()
                if line[3:4] != b"-":
                    return line.decode()

        say("")
        say("EHLO client.example")
        for n in range(times):
            say(f"MAIL FROM:<fresh{n}@sender.example>")
            reply = say("RCPT TO:<nobody@bench.test>")
            began = time.perf_counter()
            while f"fresh{n}@sender.example" not in server.ask(f"/messages?view=all&q=from:fresh{n}%40sender.example")[1]:
                if time.perf_counter() - began > 10:
                    sys.exit(f"not findable: {reply}")
            took.append(time.perf_counter() - began)
            say("RSET")
        say("QUIT")
    print(f"an attempt was in the list {max(took) * 1e3:.0f} ms after its reply (worst of {times}, search and page included)")


def main():
    binary, data = sys.argv[1], os.path.abspath(sys.argv[2])
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    server = Server(binary, data)
    try:
        server.sign_in()
        print(f"{'':36} {'median ms':>9} {'worst ms':>9} {'CPU ms':>9} {'kB sent':>9}")
        measure(server, "the very first page", LISTS[0][1], 1)
        for name, path in LISTS:
            if path is None:
                page = server.ask(LISTS[1][1])[1]
                path = html.unescape(re.search(r'href="([^"]*)" rel="next"', page)[1])
            measure(server, name, path, times)
        findable(server, 5)
        print(f"{server.memory_mib()} MiB of its own at the end")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
