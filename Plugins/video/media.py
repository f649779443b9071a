"""What a file is, as ffprobe sees it, and which files are no videos."""
from __future__ import annotations

import json
import os

from programs import Failure, last_lines, program

# What text files, playlists and lists of files are read as.
NOT_A_VIDEO = {"tty", "hls", "dash", "concat", "concatf", "ffmetadata", "sdp", "srt", "webvtt", "ass"}
# No playlist or crafted file may reach the network.
LOCAL_ONLY = ["-protocol_whitelist", "file,pipe"]


class Media:
    """What ffprobe says about a file."""

    def __init__(self, report, options=()):
        self.options = list(options)
        self.format = report.get("format", {})
        streams = report.get("streams", [])
        # The cover of a song is a video stream to ffmpeg.
        self.video = next((s for s in streams if s.get("codec_type") == "video"
                           and not s.get("disposition", {}).get("attached_pic")), None)
        self.audio = next((s for s in streams if s.get("codec_type") == "audio"), None)
        own = self.video or {}
        self.duration = (number(own.get("duration")) or number(self.format.get("duration")))
        self.rate = fraction(own.get("avg_frame_rate")) or fraction(own.get("r_frame_rate"))
        self.frames = int(number(own.get("nb_frames")) or number(own.get("nb_read_packets")) or 0) or None
        if self.is_still:
            self.duration = None

    @property
    def size(self):
        """Width and height as people see them: turned, and with the shape that its pixels have."""
        width, height = self.video["width"], self.video["height"]
        width = round(width * (fraction((self.video.get("sample_aspect_ratio") or "").replace(":", "/")) or 1))
        turns = [side.get("rotation", 0) for side in self.video.get("side_data_list", [])]
        return (height, width) if any(abs(turn) % 180 == 90 for turn in turns) else (width, height)

    @property
    def is_still(self):
        return self.format.get("format_name", "").endswith("_pipe") or \
            self.format.get("format_name") == "image2"


def number(text):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 < value < 1e12 else None


def fraction(text):
    top, _, bottom = (text or "").partition("/")
    return number(top) / number(bottom or "1") if number(top) and number(bottom or "1") else None


def probe(programs, path, *more):
    """None with the reason when ffprobe cannot read the file."""
    arguments = [program("ffprobe"), "-v", "error", *LOCAL_ONLY, *more, "-show_format", "-show_streams",
                 "-of", "json", "file:" + path]
    status, text, errors = programs.output(arguments)
    if status != 0:
        return None, last_lines(errors, 1).replace("file:%s: " % path, "")
    return Media(json.loads(text), more), ""


def open_input(programs, path, parameter="input"):
    if not isinstance(path, str) or not path or "\0" in path:
        raise Failure("bad_input", "There is no '%s'." % parameter, fix="Give %s=FILE." % parameter)
    path = os.path.abspath(path)
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise Failure("bad_input", "%s cannot be read: %s." % (path, error.strerror))
    try:
        media, reason = probe(programs, path)
        if not media and "%" in path:
            # A picture whose name looks like the pattern of a series is still one picture.
            media, reason = probe(programs, path, "-pattern_type", "none")
    except TimeoutError:
        media, reason = None, "it takes more than a minute to look at."
    if not media or set(media.format.get("format_name", "").split(",")) & NOT_A_VIDEO:
        raise Failure("bad_input", "%s is not a video: %s" % (path, reason or "it is text or a playlist."))
    if not media.video:
        has = "only sound" if media.audio else "no pictures"
        raise Failure("bad_input", "%s is not a video: it has %s." % (path, has))
    if not media.duration and not media.frames and not media.is_still:
        media.frames = count_frames(programs, path)
    return path, media


def count_frames(programs, path):
    """For files that do not say how long they are; None when even that takes too long."""
    try:
        counted, _ = probe(programs, path, "-count_packets")
    except TimeoutError:
        return None
    return counted.frames if counted else None
