"""Runs ffmpeg and ffprobe so that a cancelled task leaves none of them behind."""
from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time

INSTALL = ("Install ffmpeg: sudo apt-get install ffmpeg (Debian, Ubuntu), sudo dnf install ffmpeg-free "
           "(Fedora), sudo pacman -S ffmpeg (Arch).")


class Failure(Exception):
    """What the task fails with."""

    def __init__(self, code, message, fix=None, retryable=False):
        super().__init__(message)
        self.line = {"type": "error", "code": code, "message": message, "retryable": retryable}
        if fix:
            self.line["fix"] = fix


def say(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Programs:
    """Runs ffmpeg and ffprobe so that a cancelled task leaves none of them behind.

    SIGTERM arrives as a readable descriptor: an exception out of a signal handler could strike
    between the start of a program and the line that remembers it.
    """

    def __init__(self):
        self.cancelled, self._cancel = os.pipe()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: os.write(self._cancel, b"x"))

    def run(self, arguments, on_output, cwd=None, limit_s=None, on_alive=None, quiet=False):
        """Returns the exit status and the end of stderr; a status below 0 is a signal.

        on_alive is called every 10 s in which the program used the processor without saying anything.
        """
        child = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd)
        try:
            errors = self._drain(child, on_output, limit_s, on_alive, quiet)
            return child.wait(), errors
        finally:
            self._stop(child)

    def output(self, arguments, limit_s=60):
        chunks = []
        status, errors = self.run(arguments, chunks.append, limit_s=limit_s, quiet=True)
        return status, b"".join(chunks).decode("utf-8", "replace"), errors

    def _drain(self, child, on_output, limit_s, on_alive, quiet):
        errors, used, deadline = b"", cpu_ticks(child.pid), time.monotonic() + (limit_s or 1e9)
        with selectors.DefaultSelector() as selector:
            for stream in (self.cancelled, child.stdout, child.stderr):
                selector.register(stream, selectors.EVENT_READ)
            while len(selector.get_map()) > 1:
                ready = selector.select(min(10, max(0, deadline - time.monotonic())))
                if time.monotonic() >= deadline:
                    raise TimeoutError
                if not ready and on_alive and cpu_ticks(child.pid) != used:
                    used = cpu_ticks(child.pid)
                    on_alive()
                for key, _ in ready:
                    if key.fileobj == self.cancelled:
                        raise Failure("cancelled", "The task was cancelled.")
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is child.stdout:
                        on_output(chunk)
                    else:
                        errors = (errors + chunk)[-8192:]
                        if not quiet:
                            os.write(2, chunk)
        return errors.decode("utf-8", "replace")

    @staticmethod
    def _stop(child):
        # With its pipes closed it cannot hang in a write to us.
        child.stdout.close()
        child.stderr.close()
        if child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(3)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def cpu_ticks(pid):
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return int(fields[11]) + int(fields[12])
    except (OSError, IndexError, ValueError):
        return None


def program(name):
    path = shutil.which(name)
    if not path:
        raise Failure("missing_program", "The program '%s' is not on the PATH." % name, fix=INSTALL)
    return path


def last_lines(text, count=3):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[-count:])[-600:] or "It said nothing."
