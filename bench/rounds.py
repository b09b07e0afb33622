#!/usr/bin/env python3
"""rounds.py RUNS.jsonl ROUNDS [SCENARIO...] : the scenarios of the gate in paired rounds, the canned limit and ours in turn,
and a table of their ratios with what is due and what is aimed at. Started by bench/gate, which starts the servers; with
CHECKS set by bench/checks, where our own gateway without checks is the limit.

The ratio of a scenario is the median of the ratios of its rounds: both halves of a round meet the same machine.
Exit status 1 if a ratio that must be reached is not."""
import json, os, resource, statistics, subprocess, sys

# name, arguments, canned limit (label, port, cgroup), must and aim as multiples of that limit (issue: microseconds of
# the table divided by its limit). Without a limit of its own a scenario has absolute microseconds, or is only shown.
TOKIO, DURABLE = ("limit", 2601, "can"), ("limit-durable", 2603, "candur")
SCENARIOS = [
    ("greylist-defer", ["greylist-defer"], TOKIO, 130 / 64, 85 / 64),
    ("reject-rcpt", ["reject-rcpt"], TOKIO, 110 / 62, 80 / 62),
    ("accept-4k", ["accept"], DURABLE, 350 / 126, 200 / 126),
    ("accept-4k-x100", ["accept", "--per-conn", "100", "--pipelining"], DURABLE, 220 / 48, 110 / 48),
    ("accept-100k", ["accept", "--size", "102400"], DURABLE, 1000 / 354, 650 / 354),
    ("retry", ["retry", "--count", "2000", "--window", "4"], None, 400, 250),
    ("greylist-defer-tls", ["greylist-defer", "--starttls"], None, None, None),
    ("reject-rcpt-tls", ["reject-rcpt", "--starttls"], None, None, None),
    ("accept-4k-tls", ["accept", "--starttls"], None, None, None),
    ("accept-4k-x100-tls", ["accept", "--per-conn", "100", "--pipelining", "--starttls"], None, None, None),
    ("accept-100k-tls", ["accept", "--size", "102400", "--starttls"], None, None, None),
    ("retry-tls", ["retry", "--count", "2000", "--window", "4", "--starttls"], None, None, None),
]
OURS = ("ours", 2525, "portcullis")
# bench/checks: the gateway with every check of stages 1 to 5 against the one without, for public clients of which 200 come
# again and again, so that every answer is cached.
BARE, CHECKING = ("bare", 2532, "bare"), ("checking", 2526, "portcullis")
KNOWN_CLIENTS = ["--proxy", "--proxy-count", "200", "--src-count", "0"]
SIGNED = ["--message", f"{os.environ.get('BENCH_DIR', '')}/signed.eml"]
CHECKS = [
    ("greylist-defer", ["greylist-defer", *KNOWN_CLIENTS], BARE, 2, 1.5),
    ("accept-4k", ["accept", *KNOWN_CLIENTS], BARE, 2, 1.5),
    ("accept-4k-signed", ["accept", *KNOWN_CLIENTS, *SIGNED], BARE, 2, 1.5),
]
# 10,000 idle connections: what each takes, and what a light load beside them notices; must, aim, and what counts.
IDLE = [("KiB of memory for each idle connection", 6, 2.5, lambda rounds: rounds[0]),
        ("p99 of a light load with 10,000 idle connections ÷ without", 1.5, 1.1, statistics.median)]
IDLE_COUNT = os.environ.get("IDLE", "10000")


def group(name):
    base = "/sys/fs/cgroup/cpuacct" if os.path.isdir("/sys/fs/cgroup/cpuacct") else "/sys/fs/cgroup"
    return f"{base}/bench_{name}"


def run(server, arguments, out):
    """One run; the microseconds of one attempt or message of the whole server."""
    label, port, cgroup = server
    command = ["taskset", "-c", os.environ["CLIENT_CPU"], f"{os.environ['BIN']}/smtpload", "--target", f"127.0.0.1:{port}",
               "--label", label, "--duration", os.environ.get("DURATION", "3"), "--cgroup", group(cgroup),
               "--cgroup-sink", group("sink"), "--scenario", *arguments]
    if arguments[0] == "accept" and server in (OURS, BARE, CHECKING) and "--conns" not in arguments:
        command += ["--drain", "20"]  # what is still queued is delivered, and its work counted
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    for line in lines:
        print(line, file=out, flush=True)
    result = json.loads(lines[-1])
    if result["errors"]:
        print(f"{label} {arguments}: {result['errors']}", file=sys.stderr)
    return result.get("cpu_us_per_message_drained", result["server_cpu_us_per_unit"]), result


def idle(server, out):
    """One round of the idle connections: memory of each, and the p99 of the light load with them ÷ without."""
    light = ["--conns", "2", "--src-count", "60000"]
    alone = run(server, ["accept", *light], out)[1]
    held = run(server, ["idle", "--idle", IDLE_COUNT, *light], out)[1]
    return held["pss_kib_per_conn"], held["p99_ms"] / max(alone["p99_ms"], 0.001)


def verdict(value, must, aim):
    if must is None:
        return "shown"
    return "aim" if value <= aim else "pass" if value <= must else "FAIL"


def table(chosen, measured):
    """Prints the table of the scenarios; whether a ratio that is due was missed."""
    print("| scenario | limit µs | ours µs | ours ÷ limit (min..max) | must | aim | | p99 ms | foreign cores |")
    print("|---|---|---|---|---|---|---|---|---|")
    failed = False
    for name, _, limit, must, aim in chosen:
        rows = measured[name]
        middle = lambda column: statistics.median(row[column] for row in rows)
        ratios = [ours / least for least, ours, *_ in rows] if limit else [row[1] for row in rows]
        value = statistics.median(ratios)
        said = verdict(value, must, aim)
        failed |= said == "FAIL"
        due = [f"{x:.2f}" if limit else f"{x:.0f} µs" for x in (must, aim)] if must else ["–", "–"]
        spread = f"{value:.2f} ({min(ratios):.2f}..{max(ratios):.2f})" if limit else f"– ({min(ratios):.0f}..{max(ratios):.0f} µs)"
        least = f"{middle(0):.0f}" if limit else "–"
        print(f"| {name} | {least} | {middle(1):.0f} | {spread} | {due[0]} | {due[1]} | {said} | {middle(2):.1f} | {middle(3):.2f} |")
    return failed


def idle_table(rounds):
    """The same for idle connections. Memory is the first round's: later ones find what the first has left behind."""
    print("| idle connections | limit | ours (min..max) | must | aim | |")
    print("|---|---|---|---|---|---|")
    failed = False
    for place, (what, must, aim, of_rounds) in enumerate(IDLE):
        least, ours = ([round_[server][place] for round_ in rounds] for server in (0, 1))
        value = of_rounds(ours)
        said = verdict(value, must, aim)
        failed |= said == "FAIL"
        print(f"| {what} | {of_rounds(least):.2f} | {value:.2f} ({min(ours):.2f}..{max(ours):.2f}) | {must} | {aim} | {said} |")
    return failed


def main():
    path, rounds, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    checks = "CHECKS" in os.environ
    scenarios, ours_is = (CHECKS, CHECKING) if checks else (SCENARIOS, OURS)
    chosen = [s for s in scenarios if not wanted or s[0] in wanted]
    with_idle = not checks and (not wanted or "idle" in wanted)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open(path, "a") as out:
        measured = {s[0]: [] for s in chosen}
        idled = []
        for _ in range(rounds):
            for name, arguments, limit, *_due in chosen:
                least = run(limit, arguments, out)[0] if limit else None
                ours, result = run(ours_is, arguments, out)
                measured[name].append((least, ours, result["p99_ms"], result["foreign_cpu_cores"]))
            if with_idle:
                idled.append((idle(DURABLE, out), idle(OURS, out)))
    failed = bool(chosen) and table(chosen, measured)
    failed |= with_idle and idle_table(idled)
    sys.exit(failed)


main()
