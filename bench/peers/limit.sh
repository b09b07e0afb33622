#!/bin/bash
# the physical limit: canned replies. 2601 tokio, 2602 epoll, 2603 tokio + group-commit fdatasync, 2604 one flush a message,
# 2607 tokio + a sketch of greylisting with a journal of refusals
. "$(dirname "$0")/namespace.sh"
case $1 in
install) gcc -O2 -o "$BENCH_DIR/canned_epoll" "$HERE/../limit/canned_epoll.c" ;;
start)
  bg can "$SERVER_CPU" "$BIN/smtpcan" 127.0.0.1:2601
  bg epoll "$SERVER_CPU" "$BENCH_DIR/canned_epoll" 127.0.0.1 2602
  bg candur "$SERVER_CPU" "$BIN/smtpcan" 127.0.0.1:2603 --durable "$BENCH_DIR/candur.log.dat"
  bg candur1 "$SERVER_CPU" "$BIN/smtpcan" 127.0.0.1:2604 --durable "$BENCH_DIR/candur1.log.dat" --nogroup
  bg cangrey "$SERVER_CPU" "$BIN/smtpcan" 127.0.0.1:2607 --greylist ${GREY_DELAY:-3} --journal "$BENCH_DIR/candur.grey.dat"
  for p in 2601 2602 2603 2604 2607; do wait_port $p; done ;;
stop) for n in can epoll candur candur1 cangrey; do stop $n; done; rm -f "$BENCH_DIR"/candur*.dat ;;
esac
