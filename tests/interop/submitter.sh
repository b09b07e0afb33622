#!/usr/bin/env bash
# postfix.sh in a layer of its own, which has the mechanisms by which a client proves who it is (libsasl2-modules).
exec /interop/postfix.sh "$@"
