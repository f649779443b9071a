"""Fits one face onto another: turned and sized by the eyes, cut out as an oval, blended into its place."""
from __future__ import annotations

import math

import cv2
import numpy

# The oval of a face, in distances between its eyes: how far its middle is below them, and half its sides.
BELOW, HALF_WIDTH, HALF_HEIGHT = 0.52, 1.0, 1.32
BORDER = 4      # Pixels that blending wants around the oval.


def swap(colours, place, source, face):
    """Puts `face` of `source` where `place` is in `colours`. No pixel outside of its oval changes."""
    oval = oval_of(place)
    part, left, top = around(colours, oval)
    mask = numpy.zeros(part.shape[:2], numpy.uint8)
    (x, y), sides, angle = oval
    cv2.ellipse(mask, ((x - left, y - top), sides, angle), 255, -1)
    fitted = cv2.warpAffine(source, fit(face.eyes, [(x - left, y - top) for x, y in place.eyes]),
                            part.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    box = cv2.boundingRect(mask)
    middle = (box[0] + box[2] // 2, box[1] + box[3] // 2)
    blended = cv2.seamlessClone(matched(fitted, part, mask), part, mask, middle, cv2.NORMAL_CLONE)
    paste(colours, faded(blended, part, mask), mask, left, top)


def oval_of(face):
    """Middle, sides and angle, as cv2.ellipse takes them."""
    (x1, y1), (x2, y2) = face.eyes
    distance, angle = math.dist(*face.eyes), math.atan2(y2 - y1, x2 - x1)
    middle = ((x1 + x2) / 2 - math.sin(angle) * BELOW * distance,
              (y1 + y2) / 2 + math.cos(angle) * BELOW * distance)
    sides = (2 * HALF_WIDTH * distance, 2 * HALF_HEIGHT * distance)
    return middle, sides, math.degrees(angle)


def around(colours, oval):
    """What is around the oval, and where its corner lies in the picture: outside, where the face does."""
    (x, y), sides, _ = oval
    reach = int(max(sides) / 2) + BORDER
    left, top, size = int(x) - reach, int(y) - reach, 2 * reach + 1
    rows = numpy.clip(numpy.arange(top, top + size), 0, colours.shape[0] - 1)
    columns = numpy.clip(numpy.arange(left, left + size), 0, colours.shape[1] - 1)
    return numpy.ascontiguousarray(colours[rows][:, columns]), left, top


def fit(eyes, onto):
    """The turn, size and shift that bring two eyes onto two others."""
    (ax, ay), (bx, by) = eyes
    (cx, cy), (dx, dy) = onto
    turn = complex(dx - cx, dy - cy) / complex(bx - ax, by - ay)
    shift = complex(cx, cy) - turn * complex(ax, ay)
    return numpy.float32([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def matched(fitted, part, mask):
    """`fitted` with the brightness and contrast that the face in its place had."""
    inside = mask > 0
    ours, theirs = cv2.cvtColor(fitted, cv2.COLOR_BGR2LAB), cv2.cvtColor(part, cv2.COLOR_BGR2LAB)
    (mean, spread), (wanted, wanted_spread) = [
        (lab[inside].mean(axis=0), lab[inside].std(axis=0)) for lab in (ours, theirs)]
    # A face against the light has little contrast: taking that over whole would flatten the new one.
    gain = numpy.clip(wanted_spread / numpy.maximum(spread, 1), 0.7, 1.3)
    lab = (ours - mean) * gain + wanted
    return cv2.cvtColor(lab.clip(0, 255).astype(numpy.uint8), cv2.COLOR_LAB2BGR)


def faded(blended, part, mask):
    """`blended` where the oval is, going over into `part` towards its edge."""
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    weight = numpy.clip(depth / (0.25 * depth.max()), 0, 1)[..., None]
    return (blended * weight + part * (1 - weight) + 0.5).astype(numpy.uint8)


def paste(colours, made, mask, left, top):
    """Only what lies in the picture and in the oval."""
    height, width = colours.shape[:2]
    first, last = (max(0, top), max(0, left)), (min(height, top + len(mask)), min(width, left + len(mask)))
    target = colours[first[0]:last[0], first[1]:last[1]]
    shift = (first[0] - top, first[1] - left)
    area = (slice(shift[0], shift[0] + target.shape[0]), slice(shift[1], shift[1] + target.shape[1]))
    inside = mask[area] > 0
    target[inside] = made[area][inside]
