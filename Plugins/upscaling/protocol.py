"""What the hub and this program say to each other: exec/1."""
from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys

PARTIAL = ".partial"        # Work in progress lies in this folder of the output directory.


class Failure(Exception):
    """What the task fails with."""

    def __init__(self, code, message, fix=None):
        super().__init__(message)
        self.line = {"type": "error", "code": code, "message": message, "retryable": False}
        if fix:
            self.line["fix"] = fix


def say(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def progress(percent, message):
    say({"type": "progress", "percent": round(percent, 1), "message": message})


def cancel(*_):
    raise Failure("cancelled", "The task was cancelled.")


def serve(work):
    """Does the one task on stdin by `work(params, partial)`, which returns a value and {name: MIME type}.

    What it made in the folder `partial` moves to the output directory when all of it is whole. Returns
    the exit status.
    """
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, cancel)
    partial = None
    try:
        request = json.load(sys.stdin)
        directory = os.path.abspath(request["outputDir"])
        partial = os.path.join(directory, PARTIAL)
        os.mkdir(partial)
        value, made = work(dict(request["params"]), partial)
        for name in made:
            os.rename(os.path.join(partial, name), os.path.join(directory, name))
        progress(100, "done")
        artifacts = [{"path": name, "mime": mime} for name, mime in made.items()]
        say({"type": "result", "value": value, "artifacts": artifacts})
        return 0
    except Failure as failure:
        say(failure.line)
    except MemoryError:
        say(Failure("out_of_memory", "There is not enough memory for this picture.").line)
    except OSError as error:
        say(of_system(error).line)
    except (ValueError, KeyError, TypeError) as error:
        say(Failure("bad_request", "The request cannot be used: %r" % error).line)
    finally:
        if partial:
            shutil.rmtree(partial, ignore_errors=True)
    return 1


def of_system(error):
    if error.errno == errno.ENOSPC:
        return Failure("disk_full", "The disk is full.", fix="Make room, then: belfry retry")
    return Failure("io_error", str(error))
