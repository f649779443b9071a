"""Joins videos and pictures of any size, rate and sound into one video."""
from __future__ import annotations

from media import open_input
from operations import CONTAINER, SOUND, Work, read_from, stem
from programs import Failure
from progress import Progress

USUAL_RATE = 25         # Pictures a second where the first input has none of its own.
SAMPLES = "aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo,asetpts=PTS-STARTPTS"
# The filter concat fills up sound that is shorter than its pictures.
SILENCE = "anullsrc=sample_rate=48000:channel_layout=stereo,atrim=duration=0.1"


class Joining(Work):
    """The operation concat: its inputs follow each other in the size and at the rate of the first."""

    def open(self):
        paths = self.params.get("inputs")
        if not isinstance(paths, list) or not paths:
            raise Failure("bad_input", "There are no 'inputs'.", fix="Give inputs=FILE, several times.")
        self.parts = [open_input(self.programs, path, "inputs") for path in paths]
        self.inputs = [word for part in self.parts for word in read_from(*part)]
        self.stem, self.seconds = stem(self.parts[0][0]), self.params.get("seconds", 3)
        first = self.parts[0][1]
        self.rate = min(60, first.rate) if first.rate and not first.is_still else USUAL_RATE
        self.size = even(self.params.get("width"), self.params.get("height"), first.size)

    def do(self):
        return self.encode("-joined")

    def progress(self):
        lengths = [self.seconds if media.is_still else media.duration for _, media in self.parts]
        return Progress(None if None in lengths else sum(lengths), None)

    def encoding(self, encoder, filters, container):
        hears = self.params.get("audio", "keep") == "keep" and any(media.audio for _, media in self.parts)
        graph, pads = [], ""
        for number, (_, media) in enumerate(self.parts):
            graph.append("[%d:%d]%s[v%d]" % (number, media.video["index"], self.looks(media), number))
            pads += "[v%d]" % number
            if hears:
                graph.append(sound(number, media))
                pads += "[a%d]" % number
        graph.append("%sconcat=n=%d:v=1:a=%d[v]%s" % (pads, len(self.parts), hears, "[a]" if hears else ""))
        graph.append("[v]%s[out]" % ",".join([*filters, *encoder.filters]))
        arguments = ["-filter_complex", ";".join(graph), "-map", "[out]", *encoder.arguments]
        if hears:
            arguments += ["-map", "[a]", "-c:a", SOUND[container]]
        return arguments + CONTAINER[container]

    def looks(self, media):
        """The filters that bring one input's pictures to the common size, rate and shape."""
        width, height = self.size
        chain = []
        if media.is_still:
            chain = ["loop=loop=-1:size=1", "setpts=N/(%.6f*TB)" % self.rate, "trim=duration=%.6f" % self.seconds]
        return ",".join([
            *chain, "setpts=PTS-STARTPTS", "fps=%.6f" % self.rate, "scale=iw*sar:ih,setsar=1",
            "scale=%d:%d:force_original_aspect_ratio=decrease:flags=lanczos" % (width, height),
            "pad=%d:%d:(ow-iw)/2:(oh-ih)/2" % (width, height), "setsar=1", "format=yuv420p"])


def sound(number, media):
    if media.audio:
        return "[%d:%d]%s[a%d]" % (number, media.audio["index"], SAMPLES, number)
    return "%s,%s[a%d]" % (SILENCE, SAMPLES, number)


def even(width, height, usual):
    """The size asked for, else the usual one in its shape; encoders want even sides."""
    if width and not height:
        height = round(width * usual[1] / usual[0])
    elif height and not width:
        width = round(height * usual[0] / usual[1])
    return [max(2, side // 2 * 2) for side in (width or usual[0], height or usual[1])]
