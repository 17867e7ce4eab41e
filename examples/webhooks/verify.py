"""Verifies a Fovea webhook (Standard Webhooks) with Python's standard library."""

import base64
import hashlib
import hmac
import json
import os
import sys
import time


def verify(secret: str, headers: dict[str, str], body: bytes) -> dict:
    """The event. Raises ValueError if no signature is valid or the timestamp is off by more than five minutes."""
    identity, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        raise ValueError("timestamp is too old or too new")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{identity}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    if not any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split()):
        raise ValueError("no valid signature")
    return json.loads(body)


if __name__ == "__main__":
    # A CGI program: headers in the environment, the unchanged body on standard input.
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    sent = {name: os.environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}
    try:
        print(verify(os.environ["WEBHOOK_SECRET"], sent, sys.stdin.buffer.read())["data"]["job_id"])
    except ValueError as error:
        sys.exit(str(error))
