"""Reads a document over plain HTTP with the standard library only: python3 examples/read.py FILE.

FOVEA_URL is the service's URL (http://127.0.0.1:8787), FOVEA_API_KEY the API key.
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
    """The open response. A problem document (RFC 9457) ends the program with its message."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["Authorization"] = f"Bearer {KEY}"
    request = urllib.request.Request(ORIGIN + path, data=body, headers=headers, method=method)
    try:
        return urllib.request.urlopen(request, timeout=120)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        sys.exit(f"{problem['title']}: {problem['detail']} ({problem['request_id']})")
    except urllib.error.URLError as error:
        sys.exit(f"{ORIGIN} does not answer: {error.reason}")


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
    try:
        with open(path, "rb") as document:
            body = document.read()
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    name = urllib.parse.quote(os.path.basename(path))
    file = json.load(call("POST", f"/v1/files?name={name}", body, Content_Type="application/octet-stream"))

    # The Idempotency-Key makes the request safe to repeat: the same key always returns the same job.
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
    if len(sys.argv) != 2 or not KEY:
        sys.exit("usage: FOVEA_API_KEY=… python3 examples/read.py FILE (npm start prints a key)")
    main(sys.argv[1])
