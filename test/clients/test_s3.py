"""Batches over a bucket of Moto, a stand-in for S3 that others have written, against a running service.

Moto checks signatures and rights (IAM) once it is told to; the objects are made before that.
"""

import hashlib
import json
import logging
import os
import pathlib
import time
import unittest
import urllib.error
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

ORIGIN, KEY = os.environ["FOVEA_ORIGIN"], os.environ["FOVEA_KEY"]
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
REGION = "eu-central-1"
KEYS = ["in/a.pdf", "in/ü b+(c).pdf", "in/x//y.pdf", "in/a%20b&c=d?e#f;@$,.pdf", "in/日本/🙂 .pdf"]
RIGHTS = [
    ("s3:ListBucket", "arn:aws:s3:::scans"),
    ("s3:GetObject", "arn:aws:s3:::scans/*"),
    ("s3:PutObject", "arn:aws:s3:::scans/*"),
    ("s3:DeleteObject", "arn:aws:s3:::scans/*"),
]


def call(method: str, path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(ORIGIN + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return {"status": error.code, **json.load(error)}


class Buckets(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        # It would print a line for each request.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        cls.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        cls.moto.start()
        host, port = cls.moto.get_host_and_port()
        cls.endpoint = f"http://{host}:{port}"
        admin = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin", "region_name": REGION}
        cls.s3 = boto3.client("s3", endpoint_url=cls.endpoint, **admin)
        cls.s3.create_bucket(Bucket="scans", CreateBucketConfiguration={"LocationConstraint": REGION})
        invoice = (EXAMPLES / "invoice.pdf").read_bytes()
        for key in KEYS:
            cls.s3.put_object(Bucket="scans", Key=key, Body=invoice)
        for i in range(1200):
            cls.s3.put_object(Bucket="scans", Key=f"in/{i:04}.txt", Body=b"not a document of the batch")
        iam = boto3.client("iam", endpoint_url=cls.endpoint, **admin)
        iam.create_user(UserName="fovea")
        statements = [{"Effect": "Allow", "Action": action, "Resource": to} for action, to in RIGHTS]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="fovea", PolicyName="batches", PolicyDocument=policy)
        cls.key = iam.create_access_key(UserName="fovea")["AccessKey"]
        cls.authorize(True)

    @classmethod
    def authorize(cls, on: bool) -> None:
        """Has Moto check signatures and rights from now on, or not."""
        count = b"0" if on else b"inf"
        headers = {"content-type": "text/plain"}
        url = f"{cls.endpoint}/moto-api/reset-auth"
        urllib.request.urlopen(urllib.request.Request(url, count, headers, method="POST")).read()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.moto.stop()

    def connect(self, **changes: str) -> str:
        fields = {
            "endpoint": self.endpoint,
            "region": REGION,
            "bucket": "scans",
            "access_key_id": self.key["AccessKeyId"],
            "secret_access_key": self.key["SecretAccessKey"],
        }
        return call("POST", "/v1/buckets", fields | changes)["id"]

    def check(self, bucket: str) -> dict[str, str]:
        steps = call("POST", f"/v1/buckets/{bucket}/check")["steps"]
        found = {step["step"]: (step["error"] or {"code": step["outcome"]})["code"] for step in steps}
        print(f"  check: {found}", flush=True)
        return found

    def test_check(self) -> None:
        self.assertEqual(set(self.check(self.connect()).values()), {"ok"})
        wrong = self.connect(secret_access_key="wrong-secret")
        self.assertEqual(self.check(wrong)["list"], "secret_wrong")
        nobody = self.connect(access_key_id="AKIANOBODY")
        self.assertEqual(self.check(nobody)["list"], "access_key_unknown")

    def test_batch(self) -> None:
        bucket = self.connect()
        batch = call(
            "POST",
            "/v1/batches",
            {
                "input": {"bucket": bucket, "prefix": "in/", "suffixes": [".pdf"]},
                "output": {"bucket": bucket, "prefix": "out/", "training_data": ["ok", "suspect"]},
            },
        )
        while True:
            state = call("GET", f"/v1/batches/{batch['id']}")
            if state["state"] == "failed" or (state["delivery"] or {}).get("state") in (
                "delivered",
                "failed",
            ):
                break
            time.sleep(0.5)
        print(f"  batch: {state['state']}, {state['lines']}, {state['delivery']}", flush=True)
        self.assertEqual((state["state"], state["delivery"]["state"]), ("completed", "delivered"))
        self.assertEqual(state["lines"]["succeeded"], len(KEYS))
        self.authorize(False)
        manifest = self.read(f"out/{batch['id']}/manifest.json")
        found = []
        for shard in json.loads(manifest)["shards"]:
            text = self.read(shard["key"])
            self.assertEqual(hashlib.sha256(text).hexdigest(), shard["sha256"])
            records = [json.loads(line) for line in text.decode().splitlines()]
            found += [record["source"]["key"] for record in records if record["type"] == "line"]
        self.assertEqual(sorted(found), sorted(KEYS))
        self.authorize(True)

    def test_presigned_put(self) -> None:
        # Moto's check of rights knows no signatures in the query.
        self.authorize(False)
        self.addCleanup(self.authorize, True)
        names = {"aws_access_key_id": self.key["AccessKeyId"], "region_name": REGION}
        secret = self.key["SecretAccessKey"]
        s3 = boto3.client("s3", endpoint_url=self.endpoint, aws_secret_access_key=secret, **names)
        url = s3.generate_presigned_url("put_object", {"Bucket": "scans", "Key": "put/result.json"})
        file = {"bucket": self.connect(), "key": "in/a.pdf"}
        job = call("POST", "/v1/ocr", {"file": file, "deliver": {"url": url}})
        while (delivery := call("GET", f"/v1/jobs/{job['id']}/delivery"))["state"] == "pending":
            time.sleep(0.5)
        print(f"  delivery: {delivery}", flush=True)
        self.assertEqual(delivery["state"], "delivered")
        self.assertEqual(json.loads(self.read("put/result.json"))["id"], job["id"])

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket="scans", Key=key)["Body"].read()


if __name__ == "__main__":
    unittest.main()
