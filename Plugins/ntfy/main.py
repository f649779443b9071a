#!/usr/bin/env python3
"""The observer `ntfy`: publishes outcomes on a topic of an ntfy server (https://docs.ntfy.sh/publish/)."""
from __future__ import annotations

import http.client
import json
import os
import sys
import urllib.error
import urllib.request

# What an outcome looks like: its words, its priority (3 is ntfy's own) and its picture.
LOOKS = {
    "task.completed": ("is done", 3, "white_check_mark"),
    "task.failed": ("failed", 4, "x"),
    "task.cancelled": ("was cancelled", 2, "no_entry_sign"),
    "batch.finished": ("is done", 3, "package"),
}


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None  # What is published would arrive as a GET without it.


OPENER = urllib.request.build_opener(NoRedirects)


def answer(**words):
    print(json.dumps(words), flush=True)


def cut(text, limit=300):
    return text if len(text) <= limit else text[: limit - 1] + "…"


def message_of(event, settings):
    """What is published of an event, without the topic; None for one that is no outcome."""
    if event["type"] not in LOOKS:
        return None
    words, priority, tag = LOOKS[event["type"]]
    lines = []
    if "batch" in event:
        batch = event["batch"]
        name = "Batch" if settings["private"] else batch["title"] or "Batch"
        lines.append("%d done, %d failed, %d cancelled" % (batch["completed"], batch["failed"], batch["cancelled"]))
        if batch["failed"]:
            priority, tag = 4, "warning"
    else:
        task = event["task"]
        name = "Task #%d" % task["number"] if settings["private"] else task["title"] or task["featureId"]
        lines.append("%s · #%d" % (task["featureId"], task["number"]))
    if "error" in event and not settings["private"]:
        lines.insert(0, event["error"]["message"])
    if "durationSeconds" in event:
        lines[-1] += " · %g s" % event["durationSeconds"]
    message = {"title": cut("%s %s" % (name, words)), "message": cut("\n".join(lines), 2000)}
    message.update(priority=priority, tags=[tag])
    if "click" in settings:
        message["click"] = settings["click"]
    return message


def publish(message, settings, token):
    headers = {"Content-Type": "application/json", "User-Agent": "belfry-ntfy/1"}
    if token:
        headers["Authorization"] = "Bearer " + token
    body = json.dumps({"topic": settings["topic"], **message}).encode()
    request = urllib.request.Request(settings["server"], data=body, headers=headers, method="POST")
    with OPENER.open(request, timeout=settings["timeout_seconds"]) as response:
        response.read(65536)


def handle(event, settings, token):
    position = event["position"]
    message = message_of(event, settings)
    try:
        if message:
            publish(message, settings, token)
        return answer(ack=position)
    except urllib.error.HTTPError as error:
        problem = "%s answered %d" % (settings["server"], error.code)
        wait = error.headers.get("Retry-After", "")
        # Of a wrong token or a full quota the event knows nothing: it waits until that is mended.
        if error.code in (401, 403, 408, 425, 429) or error.code >= 500:
            return answer(retry=position, reason=problem, after_s=int(wait) if wait.isdigit() else None)
        return answer(reject=position, reason=problem)
    except (OSError, http.client.HTTPException) as error:
        return answer(retry=position, reason="%s: %s" % (settings["server"], getattr(error, "reason", error) or type(error).__name__))


def main():
    settings = json.loads(os.environ["BELFRY_SETTINGS"])
    for line in sys.stdin:
        event = json.loads(line)
        if "position" in event:
            handle(event, settings, os.environ.get("NTFY_TOKEN"))


if __name__ == "__main__":
    main()
