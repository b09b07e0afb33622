#!/bin/bash
# Our own gateway, in a cgroup of its own like the peers: 127.0.0.1:2525, next hop the sink. portcullis.sh build|start|stop
# FILL is a number of events that the store has already (0; bench/grown).
# GREY_DELAY is the retry window's beginning in seconds (3), as for the canned greylist; GREY_WITHIN its end (12h).
# POLICIES is the policy file (else one that accepts the load driver's senders at once); IN_PLACE is a document put in place of
# the policies of a new installation. AS and PORT are name and first port of a second one.
. "$(dirname "$0")/namespace.sh"
BINARY=${BINARY:-$HERE/../../target/release/portcullis}
AS=${AS:-portcullis} PORT=${PORT:-2525}
D=$BENCH_DIR/$AS
flag() { [ "$(rustc -V | cut -d. -f2)" -lt 98 ] && echo --ignore-rust-version; }
case $1 in
build) cd "$HERE/../.." && cargo build --release -p portcullis $(flag) ;;
start)
  dns_up
  rm -rf "$D"; mkdir -p "$D"
  printf 'user\ngrey\n' > "$D/recipients.txt"
  if [ -n "${POLICIES:-}" ]; then cp "$POLICIES" "$D/policy.toml"; else cat > "$D/policy.toml" <<X
[[policy]]
narrative = "The load driver's senders are accepted at once, but for the recipient that greylists"
option = { type = "permitted_senders", set = "permit" }
from = { domain = "sender.test" }
to = { address = "user@bench.test" }
X
  fi
  cat > "$D/portcullis.toml" <<X
config_version = 1
[server]
hostname = "bench-$AS.test"
data_dir = "$D/data"
policy_file = "$D/policy.toml"
threads = 1
[smtp]
connections_per_ip_max = 1000000
# A load driver asks for more unknown recipients than anybody else: it is not slowed.
unknown_recipients_per_client_max = 0
[[smtp.listener]]
listen = "127.0.0.1:$PORT"
[[smtp.listener]]
listen = "127.0.0.1:$((PORT + 1))"
proxy_protocol_from = ["127.0.0.0/8"]
[[domain]]
name = "bench.test"
next_hop = ["127.0.0.1:$SINK_PORT"]
recipients = "directory"
directory_file = "$D/recipients.txt"
[dns]
resolver = ["127.0.0.9:53"]
[greylist]
retry_after = "${GREY_DELAY:-3}s"
retry_within = "${GREY_WITHIN:-12h}"
[http]
listen = "127.0.0.1:$((PORT + 2))"
[metrics]
listen = "127.0.0.1:$((PORT + 3))"
[log]
level = "warn"
X
  if [ "${FILL:-0}" -gt 0 ]; then "${FILLER:-$HERE/../../target/release/examples/fill}" "$D/data" "$FILL" "$(date +%s%3N)" || exit 1; fi
  bg "$AS" "$SERVER_CPU" "$BINARY" serve --config "$D/portcullis.toml"
  wait_port "$PORT" 600 || exit 1
  for _ in $(seq 50); do [ -S "$D/data/control.sock" ] && break; sleep 0.1; done
  [ -z "${IN_PLACE:-}" ] || "$BINARY" --config "$D/portcullis.toml" --yes policy import "$IN_PLACE" ;;
stop) stop "$AS"; stop dns9 ;;
esac
