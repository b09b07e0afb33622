#!/bin/bash
# idle.sh OUT.jsonl [COUNT] : idle connections held after EHLO, memory per connection (PSS of the server's cgroup) and the
# latency of a light live load meanwhile. Process-per-connection servers are held to 150. OURS=host:port OURS_CG=... adds ours.
. "$(dirname "$0")/peers/namespace.sh"
OUT=$1 C=${2:-10000}
i() { local l=$1 p=$2 g=$3 n=$4; shift 4
  case $p in *:*) ;; *) p=127.0.0.1:$p ;; esac
  (exec 3<>/dev/tcp/${p%:*}/${p#*:}) 2>/dev/null || return
  case $g in /*) ;; *) g=$(cgdir $g) ;; esac
  taskset -c "$CLIENT_CPU" "$BIN/smtpload" --target $p --label $l --scenario idle --idle $n --conns 2 --duration 4 --cgroup $g --cgroup-sink $(cgdir sink) --src-count 60000 "$@" >> "$OUT"; }
ulimit -n $(ulimit -Hn)
i limit-tokio 2601 can $C; i limit-epoll 2602 epoll $C
i haraka 2560 haraka_fwd $C; i aiosmtpd 2550 aio $C
i opensmtpd 2540 osmtpd $C --conns 1
i postfix 2510 pf 150; i exim 2530 exim 150
i postscreen 2512 pf $C --conns 0
[ -n "$OURS" ] && i ours $OURS ${OURS_CG:-ours} $C
