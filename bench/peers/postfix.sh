#!/bin/bash
# Postfix and what is put in front of or behind it. Ports: 2510 alone, 2511 + postgrey, 2512 postscreen (deep tests),
# 2513 + rspamd milter (greylist module, Redis; sources in 127.9/16 are exempt from greylisting: scan cost alone)
. "$(dirname "$0")/namespace.sh"
N=pf
case $1 in
install)
  apt_in $N postfix postgrey rspamd redis-server
  real $N /var/spool/postfix; real $N /var/lib/postfix; real $N /var/lib/postgrey
  ns $N sh -c '
    cat > /etc/postfix/main.cf <<X
compatibility_level = 3.6
myhostname = bench-postfix.test
mydestination =
mynetworks = 127.0.0.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = bench.test
relay_recipient_maps = hash:/etc/postfix/rcpt
relay_transport = smtp:[127.0.0.1]:'$SINK_PORT'
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
smtpd_peername_lookup = no
smtp_host_lookup = native
smtp_dns_support_level = disabled
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 200
maillog_file = /var/log/postfix-bench.log
maillog_file_prefixes = /var
smtp_tls_security_level = none
smtpd_tls_security_level = none
postscreen_greet_wait = 2s
postscreen_pipelining_enable = yes
postscreen_non_smtp_command_enable = yes
postscreen_bare_newline_enable = yes
postscreen_access_list =
postscreen_pre_queue_limit = 15000
postscreen_post_queue_limit = 200
postscreen_client_connection_count_limit = 0
milter_default_action = accept
milter_protocol = 6
X
    printf "user@bench.test x\ngrey@bench.test x\n" > /etc/postfix/rcpt; postmap /etc/postfix/rcpt
    postconf -M "2510/inet=127.0.0.1:2510 inet n - n - - smtpd"
    postconf -M "2511/inet=127.0.0.1:2511 inet n - n - - smtpd -o { smtpd_recipient_restrictions = reject_unlisted_recipient, check_policy_service inet:127.0.0.1:2520 }"
    postconf -M "2512/inet=127.0.0.1:2512 inet n - n - 1 postscreen"
    postconf -M "2513/inet=127.0.0.1:2513 inet n - n - - smtpd -o smtpd_milters=inet:127.0.0.1:2521"
    postconf -M "smtpd/pass=smtpd pass - - n - - smtpd"
    postconf -M "dnsblog/unix=dnsblog unix - - n - 0 dnsblog"
    postconf -M "postlog/unix-dgram=postlog unix-dgram n - n - 1 postlogd"
    postconf -MX smtp/inet
    for s in $(postconf -M | awk "{print \$1\"/\"\$2}"); do postconf -F "$s/chroot=n"; done
    rm -rf /etc/rspamd/local.d; mkdir -p /etc/rspamd/local.d
    cd /etc/rspamd/local.d
    echo "enabled = false;" > worker-controller.inc; echo "count = 0; enabled = false;" > worker-normal.inc; echo "enabled = false;" > worker-fuzzy.inc
    cat > worker-proxy.inc <<X
bind_socket = "127.0.0.1:2521";
milter = yes;
timeout = 30s;
count = 1;
upstream "local" { default = yes; self_scan = yes; }
X
    echo "servers = \"127.0.0.1:2522\";" > redis.conf
    printf "timeout = 3s;\nexpire = 1d;\ngreylist_min_score = -1000;\ncheck_local = true;\ncheck_authed = true;\nwhitelisted_ip = [\"127.9.0.0/16\"];\n" > greylist.conf
    printf "reject = 1000;\nadd_header = 900;\ngreylist = -1000;\n" > actions.conf
    printf "dns { nameserver = [\"127.0.0.1:2523\"]; timeout = 1s; retransmits = 1; }\nlocal_addrs = \"10.255.0.0/16\";\n" > options.inc
    printf "type = \"file\"; filename = \"/var/log/rspamd-bench.log\"; level = \"warning\";\n" > logging.inc
    for m in fuzzy_check rbl phishing mx_check asn url_redirector; do echo "enabled = false;" > $m.conf; done
  ' ;;
start)   # start [postgrey] [rspamd]
  bgns pf "$SERVER_CPU" $N sh -c 'chown root /var/spool/postfix /var/lib/postfix; postfix set-permissions >/dev/null 2>&1; chown postfix /var/lib/postfix; exec /usr/sbin/postfix start-fg'
  for x in "${@:2}"; do case $x in
    postgrey) bgns pfgrey "$SERVER_CPU" $N sh -c "chown -R postgrey /var/lib/postgrey; exec postgrey --inet=127.0.0.1:2520 --delay=${GREY_DELAY:-3} --auto-whitelist-clients=1000000 --user=postgrey --group=postgrey --dbdir=/var/lib/postgrey ${GREY_OPT:-}"; wait_port 2520 ;;
    rspamd)
      bg dns "$CLIENT_CPU" python3 "$HERE/dns_stub.py" 2523
      bgns pfrspamd "$SERVER_CPU" $N redis-server --bind 127.0.0.1 --port 2522 --save "" --appendonly no
      bgns pfrspamd "$SERVER_CPU" $N sh -c "mkdir -p /var/lib/rspamd; chown -R _rspamd:_rspamd /var/lib/rspamd; exec rspamd -f -u _rspamd -g _rspamd"; wait_port 2521 900; sleep ${RSPAMD_SETTLE:-20} ;;
  esac; done
  wait_port 2510 ;;
stop) for n in pf pfgrey pfrspamd dns; do stop $n; done ;;
esac
