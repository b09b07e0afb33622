#!/usr/bin/env bash
# OpenLDAP's slapd, run by `world.sh run slapd FOLDER /interop/slapd.sh PORT`. It takes LDAP on 127.0.0.1:PORT, where a
# connection can go on encrypted, and LDAPS on 127.0.0.1:PORT+1, with /peer/server.crt and /peer/server.key. Its content
# is below dc=ldap,dc=example, first that of /peer/people.ldif. Only cn=reader (password `reading`) may read it: 20
# entries at once, and 50 of each page. Attributes of Active Directory have the names they have there.
#
# Standard input takes one order a line and its end ends everything:
#   modify PATH    changes the content as the LDIF file says
#   stop           ends slapd at once
#   start          starts it again
# Each order is answered by a line `done 0`.
set -eu
port=$1
conf=/etc/ldap/slapd.conf
schema=/etc/ldap/schema

mkdir -p /var/lib/people /run/slapd
cat > $conf <<X
include $schema/core.schema
include $schema/cosine.schema
include $schema/inetorgperson.schema
include $schema/misc.schema
attributetype ( 1.3.6.1.4.1.99999.1 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.3 NAME 'rawMail' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.99999.4 NAME 'adPerson' SUP top AUXILIARY MAY ( proxyAddresses \$ userAccountControl \$ rawMail \$ mail ) )
pidfile /run/slapd/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile /peer/server.crt
TLSCertificateKeyFile /peer/server.key
database mdb
suffix "dc=ldap,dc=example"
rootdn "cn=admin,dc=ldap,dc=example"
rootpw changing
directory /var/lib/people
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,dc=ldap,dc=example" read by * none
limits dn.exact="cn=reader,dc=ldap,dc=example" size.soft=20 size.hard=20 size.pr=50 size.prtotal=unlimited
X
slapadd -f $conf -l /peer/people.ldif

begin() {
  slapd -d none -f $conf -h "ldap://127.0.0.1:$port/ ldaps://127.0.0.1:$((port + 1))/" > /peer/slapd.log 2>&1 &
  for _ in $(seq 200); do
    ldapwhoami -x -H "ldap://127.0.0.1:$port" > /dev/null 2>&1 && return
    sleep 0.1
  done
  echo "slapd does not answer: $(cat /peer/slapd.log)" >&2
  exit 1
}
begin

echo "done 0"
while read -r order path; do
  case $order in
    modify) ldapmodify -x -H "ldap://127.0.0.1:$port" -D cn=admin,dc=ldap,dc=example -w changing -f "$path" >&2 ;;
    stop) kill -9 "$(cat /run/slapd/slapd.pid)" ;;
    start) begin ;;
    *) echo "unknown order: $order" >&2; exit 64 ;;
  esac
  echo "done 0"
done
