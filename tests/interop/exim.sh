#!/usr/bin/env bash
# Exim as a sender, run by `world.sh run exim FOLDER /interop/exim.sh PORT`: whatever it is given goes to 127.0.0.1:PORT.
# Its logs are /peer/exim-main.log and so on.
#
# Standard input takes one order a line and its end ends everything:
#   send FROM TO[,TO] PATH    hands the file to Exim
# Each order is answered by a line `done NUMBER`, where NUMBER is how many messages Exim took.
set -eu
port=$1

chown Debian-exim /peer
cat > /etc/exim4/exim4.conf <<X
primary_hostname = exim.example
log_file_path = /peer/exim-%slog
keep_environment =
trusted_users = root

begin routers
gateway:
  driver = manualroute
  route_list = * 127.0.0.1::$port
  self = send
  transport = gateway

begin transports
gateway:
  driver = smtp
  tls_verify_certificates =

begin retry
# A deferred message is tried again by itself after two seconds.
* * F,1h,2s
X
# Its parent is process 1 of this world, which Exim takes for the sign that it need not go into the background itself.
exim -q1s &

echo "done 0"
while read -r order from to path; do
  [ "$order" = send ] || { echo "unknown order: $order" >&2; exit 64; }
  # shellcheck disable=SC2086 # the recipients are separated by commas
  exim -i -f "$from" -- ${to//,/ } < "$path"
  echo "done 1"
done
