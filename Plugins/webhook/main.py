#!/usr/bin/env python3
"""The observer `webhook`: posts each event to URLs, signed as Standard Webhooks say.

The hub hands over one event at a time and sends it again when it is told `retry`, so nothing is kept here but
which of several URLs have this event already.
"""
from __future__ import annotations

import json
import os
import sys
import time

sys.dont_write_bytecode = True  # An installed plugin's files are pinned: none may appear.

from delivery import Refused, Unreachable, post  # noqa: E402
from signature import Secret  # noqa: E402


def answer(**words):
    print(json.dumps(words), flush=True)


class Webhook:
    def __init__(self, settings, secret):
        self.urls = settings["urls"]
        self.timeout = settings["timeout_seconds"]
        self.headers = settings["headers"]
        self.secret = secret
        self.event = None
        self.done = set()

    def handle(self, line):
        event = json.loads(line)
        if "position" not in event:  # A gap: nothing to post, and nothing to answer.
            return
        if event["id"] != self.event:
            self.event, self.done = event["id"], set()
        position, refusals = event["position"], []
        for url in self.urls:
            if url in self.done:
                continue
            try:
                self.post(url, event["id"], line.rstrip("\n").encode())
                self.done.add(url)
            except Unreachable as problem:
                return answer(retry=position, reason=str(problem), after_s=problem.after)
            except Refused as problem:
                refusals.append(str(problem))  # The other URLs are to get it even so.
        if refusals:
            return answer(reject=position, reason="; ".join(refusals))
        answer(ack=position)

    def post(self, url, identifier, body):
        headers = {"Content-Type": "application/json", "User-Agent": "belfry-webhook/1", **self.headers}
        if self.secret:
            headers.update(self.secret.sign(identifier, int(time.time()), body))
        post(url, body, headers, self.timeout)


def main():
    settings = json.loads(os.environ["BELFRY_SETTINGS"])
    secret = os.environ.get("WEBHOOK_SECRET")
    webhook = Webhook(settings, Secret(secret) if secret else None)
    for line in sys.stdin:
        webhook.handle(line)


if __name__ == "__main__":
    main()
