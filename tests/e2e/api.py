"""What a caller of the API needs: JSON over HTTP with a bearer key, and how the processors prove who they are."""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass


@dataclass
class Answer:
    """Status, headers and parsed body of one answer."""

    status: int
    headers: dict
    body: object

    def expect(self, status):
        """The body, if the status is the expected one."""
        assert self.status == status, f"expected {status}, got {self.status}: {self.body}"
        return self.body


class Api:
    """The API at a base URL; `key` is sent as the bearer token. Every call is noted in `calls`."""

    def __init__(self, base_url, key, calls):
        self.base_url = base_url
        self.key = key
        self.calls = calls

    def get(self, path):
        """Asks for a resource."""
        return self.send("GET", path)

    def post(self, path, body, **headers):
        """Sends a JSON body; keyword arguments become headers (`idempotency_key` is `idempotency-key`)."""
        return self.send("POST", path, json.dumps(body).encode(), headers)

    def put(self, path, body):
        """Puts a JSON body."""
        return self.send("PUT", path, json.dumps(body).encode())

    def patch(self, path, body):
        """Changes a resource."""
        return self.send("PATCH", path, json.dumps(body).encode())

    def delete(self, path):
        """Removes a resource."""
        return self.send("DELETE", path)

    def stripe(self, path, event, secret, at=None):
        """Delivers an event as Stripe does: signed over the raw body, without a key of ours."""
        raw = json.dumps(event).encode()
        at = int(time.time()) if at is None else at
        mac = hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256)
        headers = {"stripe-signature": f"t={at},v1={mac.hexdigest()}", "authorization": None}
        return self.send("POST", path, raw, headers)

    def paddle(self, path, event, secret):
        """Delivers an event as Paddle does: signed over the raw body."""
        raw, at = json.dumps(event).encode(), int(time.time())
        mac = hmac.new(secret.encode(), f"{at}:".encode() + raw, hashlib.sha256)
        return self.send("POST", path, raw, {"paddle-signature": f"ts={at};h1={mac.hexdigest()}"})

    def basic(self, path, event, credentials):
        """Delivers an event as Chargebee does: with user and password."""
        encoded = base64.b64encode(credentials.encode()).decode()
        return self.send("POST", path, json.dumps(event).encode(), {"authorization": f"Basic {encoded}"})

    def send(self, method, path, raw=None, headers=None):
        """Sends one request and reads the whole answer, whatever its status."""
        request = urllib.request.Request(self.base_url + path, data=raw, method=method)
        all_headers = {"content-type": "application/json"} if raw is not None else {}
        if self.key is not None:
            all_headers["authorization"] = f"Bearer {self.key}"
        all_headers |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        for name, value in all_headers.items():
            if value is not None:
                request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30) as success:
                answer = _read(success)
        except urllib.error.HTTPError as refusal:
            with refusal:
                answer = _read(refusal)
        self.calls.append((method, path, answer.status))
        return answer


def _read(answer):
    raw = answer.read()
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = raw.decode(errors="replace")
    return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)
