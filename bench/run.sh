#!/bin/bash
# run.sh OUT.jsonl ROUNDS SET... : paired rounds over the peers that are up. Sets: limit mta grey extra (default all).
# One line of JSON per run. Peers are started by peers/NAME.sh start first; a port that is not open is skipped.
# To add our gateway: OURS=host:port OURS_CG=/sys/fs/cgroup/... run.sh ...
. "$(dirname "$0")/peers/namespace.sh"
OUT=$1 ROUNDS=$2; shift 2
SETS=" ${*:-limit mta grey extra} "
D=${DURATION:-3}
SINKCG=$(cgdir sink)
one() {   # label port cgroups scenario args...
  local label=$1 hp=$2 g=$3 sc=$4; shift 4
  case $hp in *:*) ;; *) hp=127.0.0.1:$hp ;; esac
  (exec 3<>/dev/tcp/${hp%:*}/${hp#*:}) 2>/dev/null || return
  local cg=; for x in ${g//,/ }; do case $x in /*) ;; *) x=$(cgdir $x) ;; esac; cg=$cg,$x; done
  taskset -c "$CLIENT_CPU" "$BIN/smtpload" --target $hp --label "$label" --scenario $sc --duration $D --cgroup "${cg#,}" --cgroup-sink $SINKCG "$@" >> "$OUT"
}
has() { case $SETS in *" $1 "*) ;; *) return 1 ;; esac; }
for r in $(seq $ROUNDS); do
  if has limit; then for p in "limit-tokio 2601 can" "limit-epoll 2602 epoll"; do
    one $p greylist-defer; one $p reject-rcpt; one $p accept; one $p accept --size 102400; one $p accept --per-conn 100 --pipelining; one $p connect
  done
  one sketch-greylist+journal 2607 cangrey greylist-defer
  for p in "limit-durable-group 2603 candur" "limit-durable-each 2604 candur1"; do one $p accept; one $p accept --conns 200; one $p accept --per-conn 100 --pipelining; one $p accept --size 102400; done; fi
  if has mta; then
    for p in "postfix 2510 pf" "exim 2530 exim" "haraka-forward 2560 haraka_fwd" "aiosmtpd 2550 aio"; do one $p reject-rcpt; done
    one opensmtpd 2540 osmtpd reject-rcpt --conns 4
    for p in "postfix 2510 pf" "exim 2530 exim" "haraka-forward 2560 haraka_fwd" "haraka-queue 2561 haraka_queue" "aiosmtpd 2550 aio"; do one $p accept --drain 20; one $p accept --size 102400 --drain 20; one $p accept --per-conn 100 --pipelining --drain 20; done
    for a in "" "--size 102400" "--per-conn 100"; do one opensmtpd 2540 osmtpd accept --conns 4 --drain 20 $a; done
  fi
  if has grey; then
    one postfix+postgrey 2511 pf,pfgrey greylist-defer
    one postfix+postscreen 2512 pf greylist-defer --conns 400 --src-count 60000
    one postfix+rspamd 2513 pf,pfrspamd greylist-data
    one postfix+rspamd-scan 2513 pf,pfrspamd accept --src-base 127.9.0.0 --drain 20
    for p in "exim-stub 2530 exim" "haraka-stub 2560 haraka_fwd" "aiosmtpd-stub 2550 aio"; do one $p greylist-defer; done
    one haraka+greylist 2562 haraka_grey greylist-defer --proxy
    one opensmtpd-stub 2541 osmtpd greylist-defer --conns 4
  fi
  if has extra; then
    one sketch-greylist+journal 2607 cangrey retry --count 2000 --window 4
    one postfix+postgrey 2511 pf,pfgrey retry --count 300 --window 4
    one postfix+rspamd 2513 pf,pfrspamd retry --count 200 --window 5 --at-data
    one haraka+greylist 2562 haraka_grey retry --count 300 --window 4 --proxy
  fi
  if [ -n "$OURS" ]; then g=${OURS_CG:-ours}
    one ours "$OURS" $g greylist-defer; one ours "$OURS" $g reject-rcpt; one ours "$OURS" $g accept --drain 20
    one ours "$OURS" $g accept --size 102400 --drain 20; one ours "$OURS" $g accept --per-conn 100 --pipelining --drain 20
    one ours "$OURS" $g retry --count 2000 --window 4
  fi
done
