#!/bin/bash
# aiosmtpd on 2550
. "$(dirname "$0")/namespace.sh"
case $1 in
install) python3 -m venv "$BENCH_DIR/venv" && "$BENCH_DIR/venv/bin/pip" -q install aiosmtpd ;;
start) bg aio "$SERVER_CPU" "$BENCH_DIR/venv/bin/python" "$HERE/aiosmtpd_server.py" 2550; wait_port 2550 ;;
stop) stop aio ;;
esac
