"""One POST, and what its outcome means: done, come again, or never."""
from __future__ import annotations

import email.utils
import http.client
import socket
import threading
import time
import urllib.error
import urllib.request

RETRYABLE = {408, 425, 429}
LONGEST_WAIT = 3600


class Unreachable(Exception):
    """It may go through later."""

    def __init__(self, message, after=None):
        super().__init__(message)
        self.after = after


class Refused(Exception):
    """It will never go through."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    # A redirect of a POST would become a GET without its body.
    def redirect_request(self, *arguments):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


def wait_of(headers, now=None):
    """The seconds that Retry-After asks for, a number or a date; None when it says nothing."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return min(int(text), LONGEST_WAIT)
    try:
        due = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, due - (time.time() if now is None else now)), LONGEST_WAIT)


def origin(url):
    """The URL without what may be secret in it: who answered is to be seen, tokens in paths are not."""
    return "/".join(url.split("/")[:3]).rsplit("@", 1)[-1]


def post(url, body, headers, timeout):
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        status, answer = exchange(request, timeout)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreachable("%s: %s" % (origin(url), reason or type(error).__name__)) from None
    if 200 <= status < 300:
        return
    problem = "%s answered %d" % (origin(url), status)
    if status in RETRYABLE or status >= 500:
        raise Unreachable(problem, wait_of(answer))
    raise Refused(problem)


def exchange(request, timeout):
    """Status and headers. The timeout is for all of it: a server that drips bytes does not stretch it."""
    result = []

    def run():
        try:
            with OPENER.open(request, timeout=timeout) as response:
                response.read(65536)
                result.append((response.status, response.headers))
        except urllib.error.HTTPError as error:
            result.append((error.code, error.headers))
            error.close()
        except Exception as error:  # pylint: disable=broad-except
            result.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout)
    if not result:
        raise socket.timeout("no answer within %g s" % timeout)
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]
