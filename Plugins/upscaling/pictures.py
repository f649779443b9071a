"""Reads and writes pictures with Pillow, so that they look as they did: turned, coloured, transparent."""
from __future__ import annotations

import warnings

from PIL import Image, ImageOps

from files import enlarged
from protocol import Failure, progress

# Whether a picture is too large is said by `enlarged`, before any of it is decoded.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module="PIL")
OPTIONS = {"png": {}, "jpg": {"quality": 95, "subsampling": 0}, "webp": {"quality": 95, "method": 4}}
FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}


def read(source, scale, kind):
    """The picture in grey or RGB, with alpha where it has some, upright."""
    try:
        picture = Image.open(source.path)
        enlarged(*picture.size, scale, kind)
        if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
            raise Failure("bad_input", "%s has %d pictures in it." % (source.path, picture.n_frames),
                          fix="Take one out of it first, such as with: belfry run video operation=frames")
        picture.load()
        picture = plain(ImageOps.exif_transpose(picture))
    except (SyntaxError, ValueError, OSError, EOFError) as error:
        raise source.unreadable(error)
    if kind == "jpg" and "A" in picture.getbands():
        raise Failure("bad_params", "A JPEG cannot be transparent, and this picture is.",
                      fix="Use format=png or format=webp.")
    return picture


def plain(picture):
    """As L, LA, RGB or RGBA with eight bits; a colour profile comes along where it still holds."""
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I") or picture.mode == "F":
        # Pillow would clip sixteen bits at 255 instead of scaling them.
        brightest = 65535 if picture.mode != "F" and picture.getextrema()[1] > 255 else 255
        picture = picture.convert("F").point(lambda value: value * (255 / brightest) + 0.5).convert("L")
    is_transparent = "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info
    is_grey = picture.mode in ("1", "L", "LA", "La")
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        profile = None
    mode = ("L" if is_grey else "RGB") + ("A" if is_transparent else "")
    # Grey with one transparent grey goes by way of RGBA: Pillow knows no direct one.
    picture = picture if picture.mode == mode else picture.convert("RGBA" if mode == "LA" else mode)
    picture = picture if picture.mode == mode else picture.convert(mode)
    picture.info = {"icc_profile": profile} if profile else {}
    return picture


def write(picture, path, kind, profile):
    progress(99, "saving")
    options = dict(OPTIONS[kind], **({"icc_profile": profile} if profile else {}))
    picture.save(path, FORMATS[kind], **options)
    return {"width": picture.width, "height": picture.height}
