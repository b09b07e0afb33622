#!/bin/bash
# Our own gateway, in a cgroup of its own like the peers: 127.0.0.1:2525, next hop the sink. portcullis.sh build|start|stop
# FILL is a number of events that the store has already (0; bench/grown).
# GREY_DELAY is the retry window's beginning in seconds (3), as for the canned greylist; GREY_WITHIN its end (12h).
. "$(dirname "$0")/namespace.sh"
BINARY=${BINARY:-$HERE/../../target/release/portcullis}
D=$BENCH_DIR/portcullis
flag() { [ "$(rustc -V | cut -d. -f2)" -lt 98 ] && echo --ignore-rust-version; }
case $1 in
build) cd "$HERE/../.." && cargo build --release -p portcullis $(flag) ;;
start)
  dns_up
  rm -rf "$D"; mkdir -p "$D"
  printf 'user\ngrey\n' > "$D/recipients.txt"
  cat > "$D/policy.toml" <<X
[[policy]]
narrative = "The load driver's senders are accepted at once, but for the recipient that greylists"
option = { type = "permitted_senders", set = "permit" }
from = { domain = "sender.test" }
to = { address = "user@bench.test" }
X
  cat > "$D/portcullis.toml" <<X
config_version = 1
[server]
hostname = "bench-portcullis.test"
data_dir = "$D/data"
policy_file = "$D/policy.toml"
threads = 1
[smtp]
connections_per_ip_max = 1000000
[[smtp.listener]]
listen = "127.0.0.1:2525"
[[smtp.listener]]
listen = "127.0.0.1:2526"
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
listen = "127.0.0.1:2527"
[metrics]
listen = "127.0.0.1:2528"
[log]
level = "warn"
X
  if [ "${FILL:-0}" -gt 0 ]; then "${FILLER:-$HERE/../../target/release/examples/fill}" "$D/data" "$FILL" "$(date +%s%3N)" || exit 1; fi
  bg portcullis "$SERVER_CPU" "$BINARY" serve --config "$D/portcullis.toml"
  wait_port 2525 600 ;;
stop) stop portcullis; stop dns9 ;;
esac
