#!/bin/bash
# OpenSMTPD on 2540: unknown recipient 5xx; accepted mail goes to the (flushed) queue, then to the sink.
# Port 2541: a filter that answers 4xx at RCPT TO (the floor of greylisting)
. "$(dirname "$0")/namespace.sh"
N=osmtpd
case $1 in
install)
  apt_in $N opensmtpd
  real $N /var/spool/smtpd
  ns $N sh -c 'cat > /etc/smtpd-bench.conf <<X
table rcpts { "user@bench.test", "grey@bench.test" }
table greys { "grey@bench.test" }
filter grey phase rcpt-to match rcpt-to <greys> reject "450 try again later"
listen on 127.0.0.1 port 2540 hostname bench-osmtpd.test
listen on 127.0.0.1 port 2541 hostname bench-osmtpd.test filter grey
smtp max-message-size "100M"
action "out" relay host smtp://127.0.0.1:'$SINK_PORT'
match from any for rcpt-to <rcpts> action "out"
X' ;;
start) dns_up; bgns osmtpd "$SERVER_CPU" $N sh -c 'chmod 711 /var/spool/smtpd; chown root:root /var/spool/smtpd; exec smtpd -d -f /etc/smtpd-bench.conf'; wait_port 2540 ;;
stop) stop osmtpd ;;
esac
