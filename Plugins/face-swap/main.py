#!/usr/bin/python3
"""The feature `face-swap`: puts the face of one picture into another."""
from __future__ import annotations

import os
import sys

sys.dont_write_bytecode = True  # An installed plugin's files are pinned: none may appear.

from protocol import Failure, progress, serve  # noqa: E402

INSTALL = "Install them: sudo apt-get install python3-opencv opencv-data python3-pil"


def swap_faces(params, partial):
    try:
        import faces
        import pictures
    except ImportError as error:
        raise Failure("missing_program", "/usr/bin/python3 lacks a module: %s." % error, fix=INSTALL)
    import swap
    progress(2, "reading")
    picture = pictures.Picture(params.get("image"), "image", params.get("format"))
    source = pictures.Picture(params.get("face"), "face")
    finder = faces.Finder()
    progress(10, "looking for faces in the picture")
    found = faces.in_order(needed(finder, picture))
    chosen = choose(found, params.get("which", "largest"))
    progress(30, "looking for the face to put there")
    face = faces.largest(needed(finder, source))
    for number, place in enumerate(chosen):
        progress(40 + 55 * number / len(chosen), "face %d of %d" % (number + 1, len(chosen)))
        swap.swap(picture.colours, place, source.colours, face)
    progress(95, "saving")
    name, mime = picture.save(partial)
    value = {"file": name, "width": picture.width, "height": picture.height,
             "bytes": os.path.getsize(os.path.join(partial, name)), "found": len(found),
             "swapped": [place.facts() for place in chosen], "source": face.facts()}
    return value, {name: mime}


def needed(finder, picture):
    found = finder.faces(picture.colours)
    if not found:
        raise Failure("no_face", "There is no face in '%s': %s." % (picture.parameter, picture.path),
                      fix="Take a picture in which a face is seen from the front, upright and whole.")
    return found


def choose(found, which):
    """Of faces in order from the left, those that `which` means."""
    import faces
    if which == "all":
        return found
    if which == "largest":
        return [faces.largest(found)]
    if which > len(found):
        raise Failure("bad_params", "'which' is %d, and there %s." % (
            which, "is only one face" if len(found) == 1 else "are %d faces" % len(found)),
            fix="Choose from 1 to %d, counted from the left, or all." % len(found))
    return [found[which - 1]]


if __name__ == "__main__":
    sys.exit(serve(swap_faces))
