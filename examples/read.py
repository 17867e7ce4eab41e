"""Reads a document with nothing but plain HTTP: python3 examples/read.py FILE. Standard library only.

FOVEA_URL (http://127.0.0.1:8787) says where the service is, FOVEA_API_KEY who asks.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

ORIGIN = os.environ.get("FOVEA_URL", "http://127.0.0.1:8787")
KEY = os.environ.get("FOVEA_API_KEY", "")


def call(method, path, body=None, **headers):
    """The open answer. A problem (RFC 9457) ends the program with its words."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["Authorization"] = f"Bearer {KEY}"
    request = urllib.request.Request(ORIGIN + path, data=body, headers=headers, method=method)
    try:
        return urllib.request.urlopen(request, timeout=120)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        sys.exit(f"{problem['title']}: {problem['detail']} ({problem['request_id']})")


def events(job):
    """The job's Server-Sent Events as (type, data), until it ends."""
    kind = None
    for line in call("GET", f"/v1/jobs/{job}/events"):
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def main(path):
    with open(path, "rb") as document:
        name = urllib.parse.quote(os.path.basename(path))
        body = document.read()
    file = json.load(call("POST", f"/v1/files?name={name}", body, Content_Type="application/octet-stream"))

    # The same key again is the same job again: a request that got lost can be repeated.
    job = json.load(
        call(
            "POST",
            "/v1/ocr",
            json.dumps({"file": file["id"]}).encode(),
            Content_Type="application/json",
            Idempotency_Key=str(uuid.uuid4()),
        )
    )
    state = None
    for state, data in events(job["id"]):
        if state == "page":
            print(f"page {data['page']}: {data['verdict'] or data['state']}", file=sys.stderr)
    if state not in ("succeeded", "partial"):
        sys.exit(f"the job {state}")
    print(call("GET", f"/v1/jobs/{job['id']}/result?format=md").read().decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
