"""Finds faces and their eyes with the cascades that come with OpenCV."""
from __future__ import annotations

import math
import os
from dataclasses import dataclass

import cv2

from protocol import Failure

FOLDERS = ["/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades"]
# Faces are looked for in a picture of at most this side, eyes in a face of this width: both were
# trained on small pictures, and find more there than in large ones.
SEARCH_SIDE, FACE_WIDTH = 1024, 200
# Heads are held askew: where no face stands upright, the picture is turned by so many degrees.
TURNS = (0, -20, 20, -40, 40)
# Where eyes are in a face's box when none can be seen well, as shares of its sides.
USUAL_EYES = ((0.32, 0.39), (0.68, 0.39))


@dataclass
class Face:
    """A box around a face, and its two eyes, the left one in the picture first. In pixels."""

    left: int
    top: int
    width: int
    height: int
    eyes: tuple
    are_eyes_seen: bool

    def moved(self, move):
        """Where it is after `move`, a function of x and y; its box stays upright."""
        x, y = move(self.left + self.width / 2, self.top + self.height / 2)
        return Face(int(x - self.width / 2), int(y - self.height / 2), self.width, self.height,
                    tuple(move(*eye) for eye in self.eyes), self.are_eyes_seen)

    def facts(self):
        return {"x": self.left, "y": self.top, "width": self.width, "height": self.height,
                "eyes": [{"x": round(x), "y": round(y)} for x, y in self.eyes], "eyesSeen": self.are_eyes_seen}


def largest(found):
    return max(found, key=lambda face: face.width * face.height)


def in_order(found):
    """From the left, as people count them."""
    return sorted(found, key=lambda face: face.left + face.width / 2)


class Finder:
    """OpenCV's cascades for faces and for eyes, with and without glasses."""

    def __init__(self):
        self.for_faces = cascade("haarcascade_frontalface_alt2")
        self.for_eyes = [cascade("haarcascade_eye"), cascade("haarcascade_eye_tree_eyeglasses")]

    def faces(self, colours):
        grey = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)
        for turn in TURNS:
            found = self.upright(grey) if turn == 0 else self.turned(grey, turn)
            if found:
                return found
        return []

    def turned(self, grey, turn):
        """Faces that are upright once the picture is turned by so many degrees."""
        height, width = grey.shape
        side = math.ceil(math.hypot(height, width))
        there = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1)
        there[:, 2] += ((side - width) / 2, (side - height) / 2)
        back = cv2.invertAffineTransform(there)
        found = self.upright(cv2.warpAffine(grey, there, (side, side), borderMode=cv2.BORDER_REPLICATE))
        return [face.moved(lambda x, y: tuple(back @ (x, y, 1))) for face in found]

    def upright(self, grey):
        share = min(1, SEARCH_SIDE / max(grey.shape))
        small = cv2.equalizeHist(resized(grey, share))
        boxes = self.for_faces.detectMultiScale(small, 1.1, 4, minSize=(24, 24))
        return [self.face(grey, *(int(side / share) for side in box)) for box in boxes]

    def face(self, grey, left, top, width, height):
        share = FACE_WIDTH / width
        # Eyes are in the upper part; what looks like one lower down is a nostril or a corner of the mouth.
        upper = resized(grey[top:top + int(height * 0.6), left:left + width], share)
        seen = []
        for finder in self.for_eyes:
            boxes, weights = finder.detectMultiScale2(upper, 1.05, 2, minSize=(20, 20), maxSize=(80, 80))
            seen += [((x + w / 2) / FACE_WIDTH, (y + h / 2) / FACE_WIDTH, int(weight))
                     for (x, y, w, h), weight in zip(boxes, weights)]
        pair = best_pair(seen)
        eyes = tuple((left + x * width, top + y * width) for x, y in pair or USUAL_EYES)
        return Face(left, top, width, height, eyes, pair is not None)


def best_pair(seen):
    """The two of `seen` that are most surely eyes and lie as a pair of eyes does; None without such."""
    best, pair = -math.inf, None
    for left in seen:
        for right in seen:
            distance, drop = right[0] - left[0], right[1] - left[1]
            if not 0.25 < distance < 0.6 or abs(drop) > 0.35 * distance:
                continue
            odd = sum(math.dist(eye[:2], usual) for eye, usual in zip((left, right), USUAL_EYES))
            score = math.log(left[2] * right[2]) - 12 * odd
            if score > best:
                best, pair = score, (left[:2], right[:2])
    return pair


def resized(grey, share):
    if share == 1:
        return grey
    way = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    return cv2.resize(grey, None, fx=share, fy=share, interpolation=way)


def cascade(name):
    own = [cv2.data.haarcascades] if hasattr(cv2, "data") else []
    for folder in own + FOLDERS:
        path = os.path.join(folder, name + ".xml")
        if os.path.exists(path):
            return cv2.CascadeClassifier(path)
    raise Failure("missing_program", "OpenCV's file %s.xml is not there." % name,
                  fix="Install it: sudo apt-get install opencv-data")
