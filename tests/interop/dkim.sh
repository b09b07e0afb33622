#!/usr/bin/env bash
# Verifies the signatures of a message with Mail::DKIM, which asks the name server at 127.0.0.1:PORT.
#
#   dkim.sh FILE PORT          prints the result of each signature, one a line
set -eu
exec perl - "$1" "$2" <<'PERL'
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;
use Net::DNS;

my ($file, $port) = @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $port, recurse => 1));
my $verifier = Mail::DKIM::Verifier->new();
open(my $message, '<:raw', $file) or die "cannot read $file: $!";
while (my $line = <$message>) {
    $line =~ s/\r?\n$//;
    $verifier->PRINT("$line\015\012");
}
$verifier->CLOSE;
print $_->algorithm, ' ', $_->result_detail, "\n" for $verifier->signatures;
PERL
