"""Makes pictures for the tests of `upscaling` and `face-swap`, and measures those that came out.

    measure.py COMMAND ARGUMENT…    prints one object of JSON
"""
import io
import json
import sys

import numpy
from PIL import Image, ImageCms, ImageOps


def pixels(path):
    return numpy.asarray(Image.open(path).convert("RGB")).astype(float)


def halve(source, target):
    """The picture at half its size, and in `target`.full.png what it was made of: even sides."""
    picture = Image.open(source).convert("RGB")
    width, height = (side // 2 for side in picture.size)
    whole = picture.crop((0, 0, 2 * width, 2 * height))
    whole.save(target + ".full.png")
    whole.resize((width, height), Image.LANCZOS).save(target)
    return {}


def psnr(one, other):
    difference = pixels(one) - pixels(other)
    return {"psnr": float(10 * numpy.log10(255 ** 2 / numpy.mean(difference ** 2)))}


def facts(*paths):
    """By path: what the file is. Of one path, that alone."""
    return fact(paths[0]) if len(paths) == 1 else {path: fact(path) for path in paths}


def fact(path):
    picture = Image.open(path)
    alpha = picture.getchannel("A").getextrema() if "A" in picture.getbands() else None
    levels = picture.convert("L").getextrema()
    return {"mode": picture.mode, "format": picture.format, "width": picture.width, "height": picture.height,
            "profile": "icc_profile" in picture.info, "alpha": alpha, "levels": levels}


def crop(source, target, left, top, right, bottom):
    Image.open(source).convert("RGB").crop((int(left), int(top), int(right), int(bottom))).save(target)
    return {}


def beside(target, *sources):
    """Pictures side by side, all as high as the first."""
    made = [Image.open(path).convert("RGB") for path in sources]
    made = [one.resize((one.width * made[0].height // one.height, made[0].height)) for one in made]
    whole = Image.new("RGB", (sum(one.width for one in made), made[0].height))
    for number, one in enumerate(made):
        whole.paste(one, (sum(before.width for before in made[:number]), 0))
    whole.save(target)
    return {}


def turned(source, target, degrees):
    Image.open(source).convert("RGB").rotate(float(degrees), Image.BICUBIC, fillcolor=(128,) * 3).save(target)
    return {}


def difference(one, other, border="0"):
    """The largest difference of two pictures, but for a border around them."""
    border, (one, other) = int(border), (pixels(one), pixels(other))
    inner = slice(border, -border or None)
    return {"largest": float(abs(one - other)[inner, inner].max())}


def halo(path):
    """Of a white disc on black that is fully transparent: the darkest that shows."""
    picture = numpy.asarray(Image.open(path))
    return {"darkest": int(picture[..., 0][picture[..., -1] > 40].min())}


def ovals(before, after, eyes):
    """The share of pixels that changed within the ovals around pairs of eyes, and the number outside."""
    changed = (pixels(before) != pixels(after)).any(axis=2)
    rows, columns = numpy.indices(changed.shape)
    inside = numpy.zeros_like(changed)
    for (x1, y1), (x2, y2) in json.loads(eyes):
        distance, turn = numpy.hypot(x2 - x1, y2 - y1), numpy.arctan2(y2 - y1, x2 - x1)
        x = (columns - (x1 + x2) / 2) * numpy.cos(turn) + (rows - (y1 + y2) / 2) * numpy.sin(turn)
        y = (rows - (y1 + y2) / 2) * numpy.cos(turn) - (columns - (x1 + x2) / 2) * numpy.sin(turn)
        # Eyes are told in whole pixels: the oval may be three larger.
        inside |= (x / (distance + 3)) ** 2 + ((y - 0.52 * distance) / (1.32 * distance + 3)) ** 2 <= 1
    return {"inside": float(changed[inside].mean()), "outside": int(changed[~inside].sum())}


def faces(path):
    """Faces by another cascade than the plugin's."""
    import cv2
    finder = cv2.CascadeClassifier("/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml")
    grey = cv2.cvtColor(numpy.ascontiguousarray(numpy.asarray(Image.open(path).convert("RGB"))), cv2.COLOR_RGB2GRAY)
    boxes = finder.detectMultiScale(grey, 1.1, 8, minSize=(50, 50))
    return {"faces": sorted([int(side) for side in box] for box in boxes)}


def odd(kind, source, target):
    """A picture of an unusual kind, 45 × 31, made of the middle of a photograph."""
    picture = Image.open(source).convert("RGB").resize((90, 62)).crop((20, 10, 65, 41))
    ramp = Image.linear_gradient("L").resize(picture.size)
    if kind == "palette":
        picture.quantize(16).save(target, transparency=3)
    elif kind == "bits":
        picture.convert("1").save(target)
    elif kind == "grey16":
        values = numpy.asarray(ramp).astype(numpy.uint16) * 257
        Image.fromarray(values).save(target)
    elif kind == "greyalpha":
        picture.convert("L").convert("LA").save(target)
    elif kind == "clear":
        picture.putalpha(ramp)
        picture.save(target)
    elif kind == "cmyk":
        picture.convert("CMYK").save(target, quality=95)
    elif kind == "sideways":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(target, exif=exif, quality=95)
    elif kind == "profile":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        picture.save(target, icc_profile=profile)
    elif kind == "dot":
        Image.new("RGB", (1, 1), (200, 100, 50)).save(target)
    elif kind == "disc":
        rows, columns = numpy.indices((40, 40))
        alpha = numpy.where((rows - 20) ** 2 + (columns - 20) ** 2 < 200, 255, 0).astype(numpy.uint8)
        Image.fromarray(numpy.dstack([alpha, alpha, alpha, alpha])).save(target)
    elif kind == "animated":
        picture.save(target, save_all=True, append_images=[ImageOps.invert(picture)], duration=100)
    elif kind == "huge":
        # A header alone: what it promises must be refused before anything is decoded.
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        start = bytearray(buffer.getvalue()[:33])
        start[16:24] = (60000).to_bytes(4, "big") * 2
        import zlib
        start[29:33] = zlib.crc32(bytes(start[12:29])).to_bytes(4, "big")
        with open(target, "wb") as file:
            file.write(start + buffer.getvalue()[33:])
    else:
        raise ValueError(kind)
    return {}


def odds(source, folder, *names):
    """All the odd pictures with these names: KIND.ENDING."""
    for name in names:
        odd(name.split(".")[0], source, folder + "/" + name)
    return {}


COMMANDS = {command.__name__: command for command in (
    halve, psnr, facts, crop, beside, turned, difference, halo, ovals, faces, odd, odds)}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
