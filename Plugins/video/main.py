#!/usr/bin/env python3
"""The feature `video`: does one task with ffmpeg, told by exec/1 on stdin and stdout."""
from __future__ import annotations

import json
import os
import shutil
import sys

sys.dont_write_bytecode = True  # An installed plugin's files are pinned: none may appear.

from joining import Joining  # noqa: E402
from operations import PARTIAL, Work  # noqa: E402
from programs import Failure, Programs, say  # noqa: E402


def remove_partial(directory):
    path = os.path.join(directory, PARTIAL)
    shutil.rmtree(path, ignore_errors=True)
    try:
        os.unlink(path)
    except OSError:
        pass


def main():
    programs = Programs()
    directory = None
    try:
        request = json.load(sys.stdin)
        params, directory = dict(request["params"]), os.path.abspath(request["outputDir"])
        work = Joining if params.get("operation") == "concat" else Work
        value, artifacts = work(programs, params, directory).do()
        say({"type": "result", "value": value, "artifacts": artifacts})
        return 0
    except Failure as failure:
        say(failure.line)
    except (ValueError, KeyError, TypeError) as error:
        say(Failure("bad_request", "The request cannot be used: %r" % error).line)
    except OSError as error:
        say(Failure("io_error", str(error)).line)
    finally:
        if directory:
            remove_partial(directory)
    return 1


if __name__ == "__main__":
    sys.exit(main())
