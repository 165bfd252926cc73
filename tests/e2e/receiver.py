"""The team's own backend: it receives webhooks on this machine, and believes none that is not signed."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300


class Receiver:
    """Receives from the moment it is made until the process ends."""

    def __init__(self):
        self.secrets, self.events, self.refused = [], [], []
        self.lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one call."""

            def do_POST(self):  # pylint: disable=invalid-name
                """Takes an event."""
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(204 if receiver.take(self.headers, body) else 400)
                self.end_headers()

            def log_message(self, *_):  # pylint: disable=arguments-differ
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_port}/hooks"

    def take(self, headers, body):
        """Keeps an event that is signed by one of the secrets, a moment ago; answers whether it is."""
        identifier, at = headers["webhook-id"], headers["webhook-timestamp"]
        signed = f"{identifier}.{at}.".encode() + body
        given = headers["webhook-signature"].split(" ")
        with self.lock:
            known = any(hmac.compare_digest(_sign(signed, secret), each) for secret in self.secrets for each in given)
            fresh = abs(time.time() - int(at)) < TOLERANCE_SECONDS
            event = json.loads(body)
            good = known and fresh and event["id"] == identifier
            (self.events if good else self.refused).append(event)
        return good

    def hear(self):
        """What came since this was asked the last time."""
        with self.lock:
            assert not self.refused, self.refused
            events, self.events = self.events, []
        return events


def _sign(signed, secret):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
