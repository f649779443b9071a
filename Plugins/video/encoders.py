"""Which of ffmpeg's video encoders to use, and their arguments for a quality and a speed."""
from __future__ import annotations

import glob
import re

from programs import program

QUALITIES = {"low": 0, "medium": 1, "high": 2}
PRESETS = {"fast": 0, "medium": 1, "slow": 2}
CODECS = {
    "h264": ["h264_nvenc", "h264_vaapi", "libx264", "libopenh264"],
    "hevc": ["hevc_nvenc", "hevc_vaapi", "libx265"],
    "vp9": ["vp9_vaapi", "libvpx-vp9"],
    "av1": ["av1_nvenc", "av1_vaapi", "libsvtav1", "libaom-av1"],
}
# By quality: smaller is better. The scales of the codecs differ.
CRF = {"h264": (28, 23, 18), "hevc": (31, 26, 21), "vp9": (40, 33, 26), "av1": (45, 35, 26)}
SPEED = {
    "libx264": ("-preset", "veryfast", "medium", "slow"),
    "libx265": ("-preset", "veryfast", "medium", "slow"),
    "libvpx-vp9": ("-cpu-used", "5", "3", "1"), "libsvtav1": ("-preset", "10", "8", "5"),
    "libaom-av1": ("-cpu-used", "8", "6", "4"),
}


class Encoder:
    """One of ffmpeg's video encoders, with the arguments for a quality and a speed."""

    def __init__(self, name, codec, quality, preset):
        self.name, self.codec = name, codec
        self.kind = name.rpartition("_")[2] if name.endswith(("_nvenc", "_vaapi")) else "software"
        value = str(CRF[codec][QUALITIES[quality]])
        level = PRESETS[preset]
        self.before, self.filters = [], ["format=yuv420p"]
        if self.kind == "nvenc":
            self.arguments = ["-preset", ("p2", "p4", "p6")[level], "-rc", "vbr", "-cq", value, "-b:v", "0"]
        elif self.kind == "vaapi":
            self.before = ["-vaapi_device", (glob.glob("/dev/dri/renderD*") or [""])[0]]
            self.filters = ["format=nv12", "hwupload"]
            self.arguments = ["-rc_mode", "CQP", "-global_quality", value]
        elif name == "libopenh264":
            self.arguments = ["-b:v", ("1500k", "3000k", "6000k")[QUALITIES[quality]]]
        else:
            flag, *steps = SPEED[name]
            self.arguments = ["-crf", value, flag, steps[level]]
            self.arguments += ["-b:v", "0"] if name.startswith(("libvpx", "libaom")) else []
            self.arguments += ["-row-mt", "1"] if name == "libvpx-vp9" else []
        self.arguments = ["-c:v", name, *self.arguments, *(["-tag:v", "hvc1"] if codec == "hevc" else [])]

    def has_device(self):
        devices = {"nvenc": ["/dev/nvidia[0-9]*", "/dev/dxg"], "vaapi": ["/dev/dri/renderD*"]}
        return any(glob.glob(pattern) for pattern in devices.get(self.kind, []))

    def works(self, programs):
        """Encodes one frame: that ffmpeg lists an encoder says nothing about drivers and permissions."""
        arguments = [program("ffmpeg"), "-nostdin", "-v", "error", *self.before, "-f", "lavfi", "-i",
                     "color=gray:size=320x240:rate=1", "-frames:v", "1", "-vf", ",".join(self.filters),
                     *self.arguments, "-f", "null", "-"]
        try:
            return programs.output(arguments, limit_s=20)[0] == 0
        except TimeoutError:
            return False


def encoders(programs, params):
    """Yields what can encode, best first."""
    codec = params.get("codec", "h264")
    _, listed, _ = programs.output([program("ffmpeg"), "-v", "error", "-encoders"])
    known = set(re.findall(r"^ V\S* (\S+)", listed, re.MULTILINE))
    for name in CODECS[codec]:
        encoder = Encoder(name, codec, params.get("quality", "medium"), params.get("preset", "medium"))
        if name not in known:
            continue
        if encoder.kind == "software":
            yield encoder
        elif params.get("hardware", "auto") == "auto" and encoder.has_device() and encoder.works(programs):
            yield encoder
