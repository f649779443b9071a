"""What the feature can do with a video."""
from __future__ import annotations

import os

from encoders import encoders
from media import LOCAL_ONLY, number, open_input, probe
from programs import Failure, last_lines, program
from progress import Progress, clock

PARTIAL = ".partial"        # Work in progress lies under this name, in the output directory.
SOUND = {"webm": "libopus", "mp4": "aac"}
CONTAINER = {"webm": ["-f", "webm"], "mp4": ["-movflags", "+faststart", "-f", "mp4"]}
MAX_FRAMES = 5000           # Every picture becomes an artifact that the hub keeps.


class Work:
    """One task: its input, its output directory, and ffmpeg between them."""

    def __init__(self, programs, params, directory):
        self.programs, self.params, self.directory = programs, params, directory
        self.open()

    def open(self):
        self.path, self.media = open_input(self.programs, self.params.get("input"))
        self.stem, self.inputs = stem(self.path), read_from(self.path, self.media)

    def place(self, *names):
        return os.path.join(self.directory, *names)

    def ffmpeg(self, arguments, before=(), output_name=PARTIAL, progress=None, verbosity="warning"):
        progress = progress or self.progress()
        command = [program("ffmpeg"), "-nostdin", "-hide_banner", "-nostats", "-v", verbosity, "-y",
                   "-progress", "pipe:1", "-stats_period", "0.25", *before, *self.inputs, *arguments,
                   "file:" + output_name]
        status, errors = self.programs.run(
            command, progress.feed, cwd=self.directory, on_alive=progress.repeat)
        if status != 0:
            raise ffmpeg_failure(status, errors)
        return progress

    def progress(self):
        return Progress(self.media.duration, self.media.frames)

    def size_filters(self, is_even):
        width, height = self.params.get("width"), self.params.get("height")
        if not width and not height:
            return ["crop=trunc(iw/2)*2:trunc(ih/2)*2"] if is_even else []
        step = 2 if is_even else 1
        sides = [str(side // step * step) if side else str(-step) for side in (width, height)]
        return ["scale=%s:%s:flags=lanczos" % tuple(sides)] + (["setsar=1"] if width and height else [])

    def encode(self, suffix, filters=()):
        """Transcodes with `filters`; a hardware encoder that fails gives way to the next one."""
        container = "webm" if self.params.get("codec") == "vp9" else "mp4"
        codec = self.params.get("codec", "h264")
        failure = Failure("missing_encoder", "This ffmpeg has no encoder for %s." % codec,
                          fix="Choose another codec, or install a complete ffmpeg.")
        for encoder in encoders(self.programs, self.params):
            try:
                progress = self.ffmpeg(self.encoding(encoder, filters, container), encoder.before)
                return self.finish_video(encoder, self.stem + suffix + "." + container, container, progress)
            except Failure as error:
                failure = error
                if encoder.kind == "software" or error.line["code"] != "ffmpeg_failed":
                    break
        raise failure

    def encoding(self, encoder, filters, container):
        chain = [*self.size_filters(is_even=True), *filters, *encoder.filters]
        arguments = ["-map", "0:%d" % self.media.video["index"], "-vf", ",".join(chain), *encoder.arguments]
        if self.media.audio and self.params.get("audio", "keep") == "keep":
            fits = ("opus", "vorbis") if container == "webm" else ("aac", "mp3")
            keep = self.media.audio.get("codec_name") in fits
            arguments += ["-map", "0:%d" % self.media.audio["index"],
                          "-c:a", "copy" if keep else SOUND[container]]
        return arguments + CONTAINER[container]

    def finish_video(self, encoder, name, container, progress):
        made, reason = probe(self.programs, self.place(PARTIAL))
        if not made or not made.video:
            raise Failure("ffmpeg_failed", "ffmpeg wrote no video: %s" % (reason or "the file is empty."))
        os.rename(self.place(PARTIAL), self.place(name))
        value = {"operation": self.params["operation"], "file": name, "codec": made.video["codec_name"],
                 "encoder": encoder.name, "hardware": encoder.kind != "software",
                 "durationSeconds": round(number(made.format.get("duration")) or 0, 3),
                 "width": made.video["width"], "height": made.video["height"],
                 "bytes": os.path.getsize(self.place(name))}
        progress.finish()
        return value, [{"path": name, "mime": "video/" + container}]

    def thumbnail(self):
        at = self.time_of_thumbnail()
        kind, arguments = self.pictures()
        progress = self.ffmpeg(["-frames:v", "1", "-update", "1", *arguments], ["-ss", "%.6f" % at],
                               progress=Progress(None, None), verbosity="error")
        name, partial = self.stem + "-thumbnail." + kind, self.place(PARTIAL)
        if not os.path.exists(partial):
            raise Failure("bad_params", "There is no picture at %s." % clock(at),
                          fix="Choose an earlier time.")
        value = {**self.picture_facts([partial]), "file": name, "atSeconds": round(at, 3)}
        os.rename(partial, self.place(name))
        progress.finish()
        return value, [{"path": name, "mime": mime(kind)}]

    def time_of_thumbnail(self):
        length = self.media.duration
        at = self.params.get("at", (length or 0) / 10)
        if not length:
            return at
        if at > length:
            raise Failure("bad_params", fix="Choose a time before the end.",
                          message="'at' is %s, and the video ends at %s." % (clock(at), clock(length)))
        # At the very end there is no frame any more.
        return max(0, min(at, length - 1.5 / (self.media.rate or 25)))

    def frames(self):
        fps, length = self.params.get("fps", 1), self.media.duration
        if length and length * fps > MAX_FRAMES:
            raise Failure("bad_params", fix="Lower fps to %.3g." % (MAX_FRAMES / length), message=(
                "That would be %d pictures; at most %d are made." % (length * fps, MAX_FRAMES)))
        # Passing at the end keeps the first frame of a video that is shorter than one step.
        at_end = "pass" if length and length * fps < 1 else "round"
        kind, arguments = self.pictures("fps=%.6f:eof_action=%s" % (fps, at_end))
        os.makedirs(self.place(PARTIAL))
        progress = self.ffmpeg(["-frames:v", str(MAX_FRAMES), *arguments],
                               output_name=PARTIAL + "/%06d." + kind, verbosity="error")
        names = sorted(os.listdir(self.place(PARTIAL)))
        if not names:
            raise Failure("ffmpeg_failed", "ffmpeg made no pictures.", fix="Raise fps.")
        facts = self.picture_facts([self.place(PARTIAL, name) for name in names])
        os.rename(self.place(PARTIAL), self.place("frames"))
        progress.finish()
        value = {**facts, "folder": "frames", "count": len(names), "fps": fps}
        return value, [{"path": "frames/" + name, "mime": mime(kind)} for name in names]

    def pictures(self, *filters):
        kind = self.params.get("image", "png")
        chain = [*filters, *self.size_filters(is_even=False)] or ["null"]
        encoder = ["png"] if kind == "png" else ["mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"]
        return kind, ["-map", "0:%d" % self.media.video["index"], "-vf", ",".join(chain), "-c:v", *encoder,
                      "-f", "image2"]

    def picture_facts(self, paths):
        made, reason = probe(self.programs, paths[0])
        if not made or not made.video:
            raise Failure("ffmpeg_failed", "ffmpeg wrote no picture: %s" % reason)
        return {"operation": self.params["operation"], "codec": made.video["codec_name"],
                "width": made.video["width"], "height": made.video["height"],
                "bytes": sum(map(os.path.getsize, paths))}

    def do(self):
        operation = self.params.get("operation")
        if operation in ("transcode", "scale"):
            height = self.params.get("height")
            return self.encode("" if operation == "transcode" else "-%dp" % height if height else "-scaled")
        if operation == "greyscale":
            return self.encode("-grey", ["hue=s=0"])
        if operation == "thumbnail":
            return self.thumbnail()
        if operation == "frames":
            return self.frames()
        raise Failure("bad_params", "There is no operation '%s'." % operation)


def read_from(path, media):
    return [*LOCAL_ONLY, *media.options, "-i", "file:" + path]


def mime(kind):
    return "image/jpeg" if kind == "jpg" else "image/png"


def stem(path):
    """The input's name without its ending, as a name that no program takes for an option."""
    name = os.path.splitext(os.path.basename(path))[0]
    name = "".join(c if c.isprintable() else "_" for c in name).lstrip("-. ")
    return name.encode("utf-8", "replace")[:100].decode("utf-8", "ignore") or "video"


def ffmpeg_failure(status, errors):
    if "No space left on device" in errors:
        return Failure("disk_full", "The disk is full.", fix="Make room, then: belfry retry", retryable=False)
    if status < 0:
        return Failure("ffmpeg_failed", "ffmpeg was ended by signal %d. %s" % (-status, last_lines(errors)),
                       retryable=True)
    return Failure("ffmpeg_failed", "ffmpeg exited with %d: %s" % (status, last_lines(errors)))
