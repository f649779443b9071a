#!/usr/bin/env python3
"""The feature `upscaling`: makes one picture larger."""
from __future__ import annotations

import os
import sys

sys.dont_write_bytecode = True  # An installed plugin's files are pinned: none may appear.

import resizing  # noqa: E402
import waifu2x  # noqa: E402
from files import Source, stem  # noqa: E402
from protocol import Failure, progress, serve  # noqa: E402

SETUP = "Set it up, once: belfry plugin setup upscaling"
MIME = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


def upscale(params, partial):
    source = Source(params.get("image"))
    scale, denoise = params.get("scale", 2), params.get("denoise")
    kind = params.get("format") or (source.kind if source.kind in MIME else "png")
    name = "%s-%dx.%s" % (stem(source.path), scale, kind)
    method, note = choose(params.get("method", "auto"), denoise)
    if note:
        progress(0, note)
    target = os.path.join(partial, name)
    if method == "waifu2x":
        facts = waifu2x.enlarge(source, target, kind, scale, denoise)
    else:
        facts = resizing.enlarge(source, target, kind, scale)
    value = {"file": name, "method": method, **facts, "scale": scale, "bytes": os.path.getsize(target)}
    if note:
        value["note"] = note
    return value, {name: MIME[kind]}


def choose(method, denoise):
    """The method, and what people should know of the choice."""
    missing = waifu2x.missing()
    if method == "waifu2x" and missing:
        raise Failure("not_set_up", "The neural network is not set up: %s." % missing, fix=SETUP)
    if method == "lanczos" or missing:
        if denoise is not None:
            reason = "is not set up" if missing else "was not asked for"
            raise Failure("bad_params", "'denoise' needs the neural network, which %s." % reason,
                          fix=SETUP if missing else "Leave out method=lanczos, or denoise.")
        return "lanczos", None if method == "lanczos" else "plain resizing; for sharper pictures: " \
                                                           "belfry plugin setup upscaling"
    return "waifu2x", None


if __name__ == "__main__":
    sys.exit(serve(upscale))
