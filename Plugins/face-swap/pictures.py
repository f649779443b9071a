"""Reads and writes pictures so that all but the faces stays as it was: size, colours, transparency."""
from __future__ import annotations

import os
import warnings

import numpy
from PIL import Image, ImageOps

from protocol import Failure

MAX_PIXELS = 100_000_000
Image.MAX_IMAGE_PIXELS = None       # Ours is looked at before a picture is decoded.
warnings.filterwarnings("ignore", module="PIL")
FORMATS = {"png": ("PNG", "image/png", {}), "jpg": ("JPEG", "image/jpeg", {"quality": 95, "subsampling": 0}),
           "webp": ("WEBP", "image/webp", {"quality": 95})}
KINDS = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "WEBP": "webp"}
READABLE = ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"]      # MPO, which phones write, is opened as JPEG.


class Picture:
    """A picture as eight-bit `colours` in OpenCV's order (blue, green, red), and all else that it has."""

    def __init__(self, path, parameter, kind=None):
        if not isinstance(path, str) or not path or "\0" in path:
            raise Failure("bad_input", "There is no '%s'." % parameter, fix="Give %s=FILE." % parameter)
        self.path, self.parameter = os.path.abspath(path), parameter
        picture = self.read()
        self.kind = kind or KINDS.get(picture.format, "png")
        picture = ImageOps.exif_transpose(picture)
        has_alpha = "A" in picture.getbands() or "transparency" in picture.info
        self.profile = picture.info.get("icc_profile") if picture.mode in ("RGB", "RGBA") else None
        picture = picture.convert("RGBA" if has_alpha else "RGB")
        self.width, self.height = picture.size
        self.alpha = picture.getchannel("A") if has_alpha else None
        if has_alpha and self.kind == "jpg":
            raise Failure("bad_params", "A JPEG cannot be transparent, and this picture is.",
                          fix="Use format=png or format=webp.")
        self.colours = numpy.ascontiguousarray(numpy.asarray(picture)[..., 2::-1])

    def read(self):
        try:
            picture = Image.open(self.path, formats=READABLE)
            if picture.width * picture.height > MAX_PIXELS:
                raise Failure("too_large", "'%s' has %d by %d pixels, and at most %d megapixels are read." % (
                    self.parameter, picture.width, picture.height, MAX_PIXELS // 1_000_000),
                    fix="Make it smaller first.")
            picture.load()
            return picture
        except Image.UnidentifiedImageError:
            reason = "is no picture of a kind that is known (PNG, JPEG, WebP, TIFF, BMP, GIF)"
        except (SyntaxError, ValueError, EOFError, OSError) as error:
            reason = "cannot be read: %s" % (getattr(error, "strerror", None) or error)
        raise Failure("bad_input", "'%s' %s: %s" % (self.parameter, reason, self.path))

    def save(self, folder):
        """Returns the name and the MIME type."""
        picture = Image.fromarray(numpy.ascontiguousarray(self.colours[..., ::-1]))
        if self.alpha is not None:
            picture.putalpha(self.alpha)
        name, (format, mime, options) = "%s-swapped.%s" % (stem(self.path), self.kind), FORMATS[self.kind]
        options = dict(options, **({"icc_profile": self.profile} if self.profile else {}))
        picture.save(os.path.join(folder, name), format, **options)
        return name, mime


def stem(path):
    """The input's name without its ending, as a name that no program takes for an option."""
    name = os.path.splitext(os.path.basename(path))[0]
    name = "".join(c if c.isprintable() else "_" for c in name).lstrip("-. ")
    return name.encode("utf-8", "replace")[:100].decode("utf-8", "ignore") or "picture"
