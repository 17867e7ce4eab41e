"""Webhooks are verified with signatures that the standard's own example gives."""

import base64
import hashlib
import hmac
import json

import pytest

from fovea_client import WebhookError, verify_webhook

SECRET = "whsec_" + base64.b64encode(b"secret of the tests").decode()
BODY = json.dumps({"type": "job.succeeded", "timestamp": "2026-11-29T00:00:00Z", "data": {"job_id": "job_1"}})


def headers(body=BODY, secret=SECRET, timestamp="1000", id="msg_1"):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"Webhook-Id": id, "webhook-timestamp": timestamp, "WEBHOOK-SIGNATURE": f"v1a,x v1,! {signature}"}


def test_the_signature_of_the_specification_is_accepted():
    # https://github.com/standard-webhooks/standard-webhooks: the vector of its libraries' tests.
    fields = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    with pytest.raises(WebhookError, match="is no event"):  # the signature is right, its body is none of ours
        verify_webhook(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"test": 2432232314}', fields, now=1614265330
        )


def test_a_genuine_webhook_is_returned():
    event = verify_webhook(["whsec_b2xk", SECRET], BODY.encode(), headers(), now=1299)
    assert (event.type, event.data.job_id) == ("job.succeeded", "job_1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": BODY + " "}, "no valid signature"),
        ({"fields": headers(secret="whsec_AAAA")}, "no valid signature"),
        ({"fields": headers(timestamp="600")}, "too old"),
        ({"fields": headers(timestamp="1301")}, "too new"),
        ({"fields": headers(timestamp="-1")}, "no number"),
        ({"fields": {"webhook-id": "a"}}, "webhook-timestamp is missing"),
    ],
)
def test_others_are_refused(changes, message):
    given = {"body": BODY, "fields": headers(), **changes}
    with pytest.raises(WebhookError, match=message):
        verify_webhook(SECRET, given["body"], given["fields"], now=1000)


def test_a_secret_of_another_form_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="whsec_"):
        verify_webhook("whsec_?", BODY, headers(), now=1000)
