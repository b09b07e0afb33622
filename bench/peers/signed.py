#!/usr/bin/env python3
"""signed.py FOLDER : writes signed.eml, a message of 4 KiB of sender.test with a DKIM signature (RSA, 2048 bits, simple
canonicalisation, RFC 6376), and signed.key, the base64 of its public key, which dns_stub.py serves. Both are kept."""
import base64, hashlib, os, subprocess, sys

folder = sys.argv[1]
message, key, secret = (os.path.join(folder, name) for name in ("signed.eml", "signed.key", "signed.pem"))
if os.path.exists(message) and os.path.exists(key):
    sys.exit()


def openssl(*arguments, given=None):
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


line = b"The quick brown fox jumps over the lazy dog; pack my box with five dozen jugs.\r\n"
body = line * (3500 // len(line))
header = [b"From: Sender <sender@sender.test>\r\n", b"To: <user@bench.test>\r\n", b"Subject: bench message\r\n",
          b"Date: Sat, 21 Nov 2026 20:00:00 +0000\r\n", b"Message-ID: <bench@sender.test>\r\n"]
names = b":".join(field.split(b":")[0] for field in header).lower()
digest = base64.b64encode(hashlib.sha256(body).digest())
unsigned = b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=sender.test; s=s1; h=" + names + b"; bh=" + digest + b"; b="
openssl("genrsa", "-out", secret, "2048")
value = openssl("dgst", "-sha256", "-sign", secret, given=b"".join(header) + unsigned)
with open(message, "wb") as out:
    out.write(unsigned + base64.b64encode(value) + b"\r\n" + b"".join(header) + b"\r\n" + body)
with open(key, "w") as out:
    out.write(base64.b64encode(openssl("rsa", "-in", secret, "-pubout", "-outform", "DER")).decode())
