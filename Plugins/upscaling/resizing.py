"""Plain resizing by Lanczos' filter, with Pillow or else with vips: what there is without the network."""
from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess

from files import enlarged
from protocol import Failure, progress

INSTALL = "Install Pillow (sudo apt-get install python3-pil), or set up the network: belfry plugin setup upscaling"
SUFFIXES = {"png": ".png", "jpg": ".jpg[Q=95]", "webp": ".webp[Q=95]"}


def enlarge(source, target, kind, scale):
    if importlib.util.find_spec("PIL"):
        return with_pillow(source, target, kind, scale)
    if shutil.which("vips") and shutil.which("vipsheader"):
        return with_vips(source, target, kind, scale)
    raise Failure("missing_program", "There is neither Pillow nor vips to resize with.", fix=INSTALL)


def with_pillow(source, target, kind, scale):
    import PIL
    import pictures
    from PIL import Image
    picture = pictures.read(source, scale, kind)
    progress(30, "resizing")
    result = picture.resize(enlarged(*picture.size, scale, kind), Image.LANCZOS)
    size = pictures.write(result, target, kind, picture.info.get("icc_profile"))
    return {"engine": "Pillow " + PIL.__version__, **size}


def with_vips(source, target, kind, scale):
    # Brackets at the end of a name are options to vips, so it gets a name without any.
    link, made = target + ".in", os.path.join(os.path.dirname(target), "made")
    os.symlink(source.path, link)
    width, height = (int(vips(source, "vipsheader", "-f", field, link)) for field in ("width", "height"))
    # What the camera noted as lying on its side is turned by vips.
    if orientation(link) >= 5:
        width, height = height, width
    wide, high = enlarged(width, height, scale, kind)
    progress(30, "resizing")
    vips(source, "vips", "thumbnail", link, made + SUFFIXES[kind], str(wide), "--height", str(high),
         "--size", "force")
    os.unlink(link)
    os.rename(made + "." + kind, target)
    version = re.search(r"\d+\.\d+\.\d+", vips(source, "vips", "--version"))
    return {"engine": "vips " + (version.group() if version else ""), "width": wide, "height": high}


def orientation(path):
    ran = subprocess.run(["vipsheader", "-f", "orientation", path], capture_output=True, text=True)
    return int(ran.stdout) if ran.returncode == 0 and ran.stdout.strip().isdigit() else 1


def vips(source, *words):
    ran = subprocess.run(words, capture_output=True, text=True)
    if ran.returncode != 0:
        raise source.unreadable(ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else "vips failed")
    return ran.stdout
