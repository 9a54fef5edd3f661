#!/usr/bin/env bash
# Guess:   `Webhook.sign(id, timestamp, body)` of Python's standardwebhooks takes a `datetime`, and signs the moment that this
#          is: 12:00+02:00 and 10:00+00:00 are the same one, and the same number in the header `webhook-timestamp`.
# Truth:   it replaces the zone by UTC: of 12:00+02:00 it signs the number of 12:00 UTC. With the header that
#          `int(timestamp.timestamp())` gives, no receiver verifies it, "No matching signature found". A time
#          without a zone, as `datetime.now()` gives, is signed wrongly wherever the machine is not on UTC, so that tests and
#          containers, which are, show nothing. svix's `Webhook`, which calls this one, does the same.
# Version: standardwebhooks 1.1.0, svix 2.9.1 (PyPI). Source: `sign`: `timestamp.replace(tzinfo=timezone.utc)`.
# So:      `datetime.now(timezone.utc)`, and nothing else, goes into `sign`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0 svix==2.9.1

cat >find.py <<'PYTHON'
import base64
import hashlib
import hmac
import os
import time
from datetime import datetime, timedelta, timezone
import standardwebhooks
import svix.webhooks

KEY, BODY = b"k" * 24, '{"text":"hello"}'
SECRET = "whsec_" + base64.b64encode(KEY).decode()

def signature(seconds):
    """That of the specification, with nothing of the libraries."""
    digest = hmac.digest(KEY, f"msg_1.{seconds}.{BODY}".encode(), hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()

os.environ["TZ"] = "UTC-2"
time.tzset()
now = datetime.now(timezone.utc)
times = {
    "in UTC": now,
    "in UTC+2": now.astimezone(timezone(timedelta(hours=2))),
    "without a zone": now.astimezone().replace(tzinfo=None),
}
for name, library in {"standardwebhooks": standardwebhooks, "svix": svix.webhooks}.items():
    for what, timestamp in times.items():
        seconds = int(timestamp.timestamp())
        assert seconds == int(now.timestamp()), "these are the same moment"
        signed = library.Webhook(SECRET).sign("msg_1", timestamp, BODY)
        off = next((hours for hours in range(-12, 15) if signed == signature(seconds + 3600 * hours)), None)
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(seconds), "webhook-signature": signed}
        try:
            standardwebhooks.Webhook(SECRET).verify(BODY, headers)
            end = "verified"
        except standardwebhooks.WebhookVerificationError as error:
            end = str(error)
        print(f"{name:17} {what:15} signs {off} h later: {end}")
        expected = (0, "verified") if what == "in UTC" else (2, "No matching signature found")
        assert (off, end) == expected, "other moments are signed now"
PYTHON
timeout 60 venv/bin/python find.py
echo "as found: standardwebhooks 1.1.0 and svix 2.9.1 sign the hour that a datetime shows, as if it were UTC"
