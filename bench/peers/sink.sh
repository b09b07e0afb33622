#!/bin/bash
# next hop that accepts all at once, on 127.0.0.1:$SINK_PORT: sink.sh start|stop
. "$(dirname "$0")/namespace.sh"
case $1 in
start) bg sink "$CLIENT_CPU" "$BIN/smtpcan" 127.0.0.1:$SINK_PORT --accept-all; wait_port $SINK_PORT ;;
stop) stop sink ;;
esac
