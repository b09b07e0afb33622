#!/usr/bin/env bash
# Postfix, run by `world.sh run postfix FOLDER /interop/postfix.sh PORT`. It takes SMTP on 127.0.0.1:PORT and mail from
# its own sendmail, sends where /peer/transport says (a transport table: `corp.example smtp:[127.0.0.1]:2525`), and keeps
# mail for mailbox.example as one file a message in /peer/mail/new. Its log is /peer/maillog. Where /peer/policy_service
# is (`inet:127.0.0.1:10023`), it asks there about every recipient. Where /peer/sasl_passwords is (`[127.0.0.1]:2526
# NAME:PASSWORD`), it proves with that who it is, inside TLS.
#
# Standard input takes one order a line and its end ends everything:
#   send FROM TO[,TO] PATH    hands the file to sendmail; of a folder, every file below it, in order of name
#   flush                     tries everything in the queue now
# Each order is answered by a line `done NUMBER`, where NUMBER is how many messages sendmail took.
set -eu
port=$1
asks=
[ ! -e /peer/policy_service ] || asks="check_policy_service $(cat /peer/policy_service),"
sasl=
[ ! -e /peer/sasl_passwords ] || sasl='smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:/peer/sasl_passwords
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = plain, login'

cat > /etc/postfix/main.cf <<X
compatibility_level = 3.6
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = all
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = $asks check_recipient_access inline:{{nobody@mailbox.example = 550 5.1.1 No such user}}
transport_maps = texthash:/peer/transport
virtual_mailbox_domains = mailbox.example
virtual_mailbox_base = /
virtual_mailbox_maps = static:peer/mail/
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
message_size_limit = 0
virtual_mailbox_limit = 0
mailbox_size_limit = 0
# A deferred message is tried again by itself after seconds, not after minutes.
minimal_backoff_time = 2s
maximal_backoff_time = 3s
queue_run_delay = 1s
enable_long_queue_ids = yes
smtp_tls_security_level = may
$sasl
smtp_tls_loglevel = 1
maillog_file = /peer/maillog
maillog_file_prefixes = /peer
X
# Everything outside a chroot, and SMTP on our port alone.
sed -i -E -e '/^smtp +inet/d' -e 's/^(\S+ +(unix|inet|unix-dgram) +\S+ +\S+ +)y /\1n /' /etc/postfix/master.cf
echo "127.0.0.1:$port inet n - n - - smtpd" >> /etc/postfix/master.cf
grep -q '^postlog' /etc/postfix/master.cf || echo "postlog unix-dgram n - n - 1 postlogd" >> /etc/postfix/master.cf
mkdir -p /peer/mail/new /peer/mail/cur /peer/mail/tmp
chown -R 5000:5000 /peer/mail
touch /peer/transport
newaliases
postfix start > /peer/start.log 2>&1

send() {
  local from=$1 path=$3 file count=0
  # shellcheck disable=SC2086 # the recipients are separated by commas
  local to=${2//,/ }
  while IFS= read -r -d '' file; do
    /usr/sbin/sendmail -i -f "$from" -- $to < "$file" && count=$((count + 1))
  done < <(find "$path" -type f -print0 | sort -z)
  echo "done $count"
}

echo "done 0"
while read -r order rest; do
  # shellcheck disable=SC2086 # the words of an order
  case $order in
    send) send $rest ;;
    flush) postqueue -f; echo "done 0" ;;
    *) echo "unknown order: $order" >&2; exit 64 ;;
  esac
done
