#!/usr/bin/env python3
"""Writes tc3.json: signatures made by the official SDK's own signer.

    python3 -m venv ~/.cache/carpack/python/sdk
    ~/.cache/carpack/python/sdk/bin/pip install tencentcloud-sdk-python-intl-en==3.1.193
    ~/.cache/carpack/python/sdk/bin/python crates/cloud/vectors/generate.py

The keys are made up. Nothing is sent anywhere.
"""

import json
import pathlib
from datetime import datetime, timezone

import tencentcloud
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.common.http.request import RequestInternal

SDK = "3.1.193"
SECRET_ID = "AKIDmadeUpForTheseVectors"
SECRET_KEY = "made-up-key-for-these-vectors-00"

HOSTS = [
    ("billing", "billing.intl.tencentcloudapi.com"),
    ("car", "car.intl.tencentcloudapi.com"),
    ("car", "car.tencentcloudapi.com"),
    ("billing", "127.0.0.1:8443"),
    ("car", "simulator.carpack.svc:80"),
    ("billing", "[::1]:9000"),
]

# A plain day, a leap day, and both sides of midnight UTC and of a year.
INSTANTS = [
    "2019-02-25T16:31:05Z",
    "2024-02-29T12:00:00Z",
    "2025-12-31T23:59:59Z",
    "2026-01-01T00:00:00Z",
    "2026-06-30T16:00:00Z",
]

PARAMETERS = {
    "empty": {},
    "list": {"Offset": 0, "Limit": 100, "Filters": [{"Name": "project", "Values": ["cap-abc123"]}]},
    "purchase": {
        "ClientToken": "6f1c0d3b",
        "ProductCode": "p_car",
        "Parameter": '{"name": "concert \\"A\\"", "scale": "L1"}',
        "Quantity": 20,
    },
    "not ascii": {"ConcurrentId": "car-1", "Name": "音乐会 — Zürich \U0001f3b5"},
}

# Keys the ones in use do not look like: longer than a block of the hash, and not ASCII.
KEYS = [SECRET_KEY, "k" * 64, "k" * 61, "k" * 62, "long-" * 40, "schlüssel"]


class Signer(AbstractClient):
    """The SDK's client, only for its method that signs."""

    def __init__(self):  # no connection, no profile
        pass


def sign(service, host, instant, payload, key):
    seconds = int(datetime.strptime(instant, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp())
    date = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")
    request = RequestInternal()
    request.method = "POST"
    request.uri = "/"
    request.data = payload
    request.header = {"Content-Type": "application/json", "Host": host, "X-TC-Timestamp": str(seconds)}
    signature = Signer()._get_tc3_signature({}, request, date, service, key)
    return {
        "service": service,
        "host": host,
        "timestamp": seconds,
        "payload": payload,
        "secretId": SECRET_ID,
        "secretKey": key,
        # As AbstractClient._build_req_with_tc3_signature puts it together.
        "authorization": "TC3-HMAC-SHA256 Credential=%s/%s/%s/tc3_request, SignedHeaders=content-type;host, Signature=%s"
        % (SECRET_ID, date, service, signature),
    }


def main():
    if tencentcloud.__version__ != SDK:
        raise SystemExit("wants version %s of the SDK, found %s" % (SDK, tencentcloud.__version__))
    vectors = []
    for service, host in HOSTS:
        for instant in INSTANTS:
            for name, parameters in PARAMETERS.items():
                escaped = json.dumps(parameters)
                texts = {escaped: "escaped", json.dumps(parameters, ensure_ascii=False, separators=(",", ":")): "utf-8"}
                for text, spelling in texts.items():
                    about = "%s, %s" % (name, spelling if len(texts) > 1 else "one spelling")
                    vectors.append({"about": about, **sign(service, host, instant, text, SECRET_KEY)})
    for key in KEYS:
        vectors.append({"about": "key of %d bytes" % len(key.encode()), **sign(*HOSTS[0], INSTANTS[0], "{}", key)})
    out = pathlib.Path(__file__).with_name("tc3.json")
    lines = ",\n".join(json.dumps(vector, ensure_ascii=True) for vector in vectors)
    out.write_text("[\n%s\n]\n" % lines)
    print("%d vectors" % len(vectors))


if __name__ == "__main__":
    main()
