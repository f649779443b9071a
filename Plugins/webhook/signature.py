"""Signatures as https://www.standardwebhooks.com has them, version 1: HMAC-SHA256 over id, time and body."""
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"


class Secret:
    def __init__(self, text):
        """`whsec_` and base64, or any other text, whose bytes are the key as they are."""
        if text.startswith(PREFIX):
            try:
                self.key = base64.b64decode(text[len(PREFIX):], validate=True)
            except binascii.Error:
                raise SystemExit("WEBHOOK_SECRET begins with whsec_, but base64 does not follow") from None
        else:
            self.key = text.encode()

    def sign(self, identifier, seconds, body):
        signed = b"%s.%d.%s" % (identifier.encode(), seconds, body)
        digest = hmac.new(self.key, signed, hashlib.sha256).digest()
        return {
            "webhook-id": identifier,
            "webhook-timestamp": str(seconds),
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        }
