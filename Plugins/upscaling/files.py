"""The picture's file: which kind it is, told by its first bytes, and names for what comes of it."""
from __future__ import annotations

import os

from protocol import Failure

# An output of more would not fit into the memory that the plugin is allowed.
MAX_PIXELS = 200_000_000
# The longest side that the format can hold.
MAX_SIDE = {"jpg": 65_500, "webp": 16_383}


class Source:
    """A file that begins as a picture does."""

    def __init__(self, path):
        if not isinstance(path, str) or not path or "\0" in path:
            raise Failure("bad_input", "There is no 'image'.", fix="Give image=FILE.")
        self.path = os.path.abspath(path)
        try:
            with open(self.path, "rb") as file:
                self.kind = kind(file.read(16))
        except OSError as error:
            raise Failure("bad_input", "%s cannot be read: %s." % (self.path, error.strerror))
        if not self.kind:
            raise self.unreadable("it does not begin as PNG, JPEG, WebP, TIFF, BMP or GIF do")

    def unreadable(self, reason):
        return Failure("bad_input", "%s is no picture that can be read: %s." % (self.path, reason))


def kind(start):
    """The usual ending for the format that a file with this start has; None for other files."""
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "webp"
    starts = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif", b"BM": "bmp",
              b"II*\0": "tif", b"MM\0*": "tif"}
    return next((name for magic, name in starts.items() if start.startswith(magic)), None)


def enlarged(width, height, scale, kind):
    """The new size, when there is room for it."""
    wide, high = width * scale, height * scale
    if wide * high > MAX_PIXELS:
        raise Failure("too_large", "That would be %d by %d pixels, and at most %d megapixels are made." % (
            wide, high, MAX_PIXELS // 1_000_000), fix="Use scale=2, or a smaller picture.")
    if max(wide, high) > MAX_SIDE.get(kind, 1 << 30):
        raise Failure("too_large", "A %s holds at most %d pixels a side, and this would be %d by %d." % (
            kind, MAX_SIDE[kind], wide, high), fix="Use format=png.")
    return wide, high


def stem(path):
    """The input's name without its ending, as a name that no program takes for an option."""
    name = os.path.splitext(os.path.basename(path))[0]
    name = "".join(c if c.isprintable() else "_" for c in name).lstrip("-. ")
    return name.encode("utf-8", "replace")[:100].decode("utf-8", "ignore") or "picture"
