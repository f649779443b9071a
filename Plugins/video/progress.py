"""True percentages of ffmpeg's -progress lines."""
from __future__ import annotations

from media import number
from programs import say


class Progress:
    """Makes percentages of ffmpeg's -progress lines: never less than before, 100 only at the end."""

    def __init__(self, duration, frames):
        self.duration, self.frames = duration, frames
        self.percent, self.message = None, None
        self._rest, self._block = b"", {}

    def feed(self, chunk):
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            key, _, value = line.decode("ascii", "replace").partition("=")
            self._block[key.strip()] = value.strip()
            if key == "progress":
                self._report(self._block)
                self._block = {}

    def repeat(self):
        self._say(self.percent, self.message or "working")

    def finish(self):
        self._say(100, "done")

    def _report(self, block):
        # out_time_ms holds microseconds as well; before the first frame both may be N/A or negative.
        seconds, frame = (number(block.get("out_time_us")) or 0) / 1e6, int(number(block.get("frame")) or 0)
        if self.duration:
            share = seconds / self.duration
            where = "%s of %s" % (clock(min(seconds, self.duration)), clock(self.duration))
        elif self.frames:
            share, where = frame / self.frames, "frame %d of %d" % (frame, self.frames)
        else:
            share, where = None, "frame %d" % frame
        if share is not None:
            self.percent = max(self.percent or 0, min(99.9, round(100 * share, 1)))
        speed = block.get("speed", "")
        self.message = where + (", " + speed if number(speed.rstrip("x")) else "")
        self._say(self.percent, self.message)

    @staticmethod
    def _say(percent, message):
        line = {"type": "progress", "message": message}
        if percent is not None:
            line["percent"] = percent
        say(line)


def clock(seconds):
    if seconds < 60:
        return "%.1f s" % seconds
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    end = "%02d" % (int(seconds) % 60)
    return "%d:%02d:%s" % (hours, minutes % 60, end) if hours else "%d:%s" % (minutes, end)
