#!/bin/bash
# Exim 4, daemon on 2530: unknown recipient 5xx, local part grey* deferred by the ACL (no database: the floor of
# greylisting), the rest spooled (Exim flushes its spool files) and delivered to the sink
. "$(dirname "$0")/namespace.sh"
N=exim
case $1 in
install)
  apt_in $N exim4-daemon-light
  real $N /var/spool/exim4
  ns $N sh -c 'cat > /etc/exim4/bench.conf <<X
primary_hostname = bench-exim.test
daemon_smtp_ports = 2530
local_interfaces = 127.0.0.1
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/bench-%slog
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
smtp_accept_max = 300
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
queue_run_max = 5
disable_ipv6 = true
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
begin acl
acl_rcpt:
  defer local_parts = ^grey
        message = 4.7.1 try again later
  deny !local_parts = user
       message = 5.1.1 no such user
  accept domains = bench.test
  deny
acl_data:
  accept
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1::'$SINK_PORT'
  transport = sink
  self = send
begin transports
sink:
  driver = smtp
  allow_localhost = true
  hosts_try_fastopen =
begin retry
* * F,1h,5m
X
  printf "'$SINK_PORT'" >/dev/null; sed -i "s/127.0.0.1::[0-9]*/127.0.0.1/; s/^  allow_localhost = true/  allow_localhost = true\n  port = '$SINK_PORT'/" /etc/exim4/bench.conf' ;;
start) bgns exim "$SERVER_CPU" $N sh -c 'chown -R Debian-exim:Debian-exim /var/spool/exim4; mkdir -p /var/log/exim4; chown Debian-exim /var/log/exim4; exec exim4 -C /etc/exim4/bench.conf -bdf -q30m'; wait_port 2530 ;;
stop) stop exim ;;
esac
