"""Reading order: a page is cut into bands and columns, again and again (recursive XY-cut).

Ha, Haralick, Phillips: Recursive X-Y cut using bounding boxes of connected components (ICDAR 1995). Bands that share
a gutter are read column by column; a wide item, or a heading on its own, ends the columns above it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fovea.result.page_result import Box

GUTTER = 0.35
"""Least width of a gutter, in units."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is read as a whole. `heading`: it ends the columns above it."""

    box: Box
    what: Any
    heading: bool = False
    prose: bool = True


def reading_order(items: Sequence[Item], unit: float) -> list[Item]:
    items = list(items)
    if len(items) < 2:
        return items
    bands = _cut(items, 1, 0.0)
    if len(bands) > 1:
        ordered: list[Item] = []
        for group in _sharing_gutter(bands, unit):
            if len(group) == 1:
                ordered += _columns_or_all(group[0], unit)
            else:
                ordered += _columns_or_all([item for band in group for item in band], unit)
        return ordered
    return _columns_or_all(items, unit)


def _columns_or_all(items: list[Item], unit: float) -> list[Item]:
    if len(items) < 2:
        return items
    columns = _cut(items, 0, GUTTER * unit)
    if len(columns) > 1 and _are_columns(columns, unit):
        return [item for column in columns for item in reading_order(column, unit)]
    bands = _cut(items, 1, 0.0)
    if len(bands) > 1:
        return [item for band in bands for item in _within(band, unit)]
    return _within(items, unit)


def _within(items: list[Item], unit: float) -> list[Item]:
    """A band that cannot be cut across: by columns if there is a gutter, else from the top."""
    if len(items) < 2:
        return items
    columns = _cut(items, 0, GUTTER * unit)
    if len(columns) > 1:
        return [item for column in columns for item in reading_order(column, unit)]
    return _peeled(items, unit)


def _peeled(items: list[Item], unit: float) -> list[Item]:
    """No cut is possible: the item that nothing lies above comes first."""
    rest = sorted(items, key=lambda item: (item.box[1], item.box[0]))
    first = min(rest, key=lambda item: (round(item.box[1] / max(unit, 1)), item.box[0]))
    rest.remove(first)
    return [first, *reading_order(rest, unit)]


def _cut(items: list[Item], axis: int, least: float) -> list[list[Item]]:
    """Groups of items between which there is a gap of more than `least` on the axis (0: x, 1: y)."""
    groups: list[list[Item]] = []
    end = 0.0
    for item in sorted(items, key=lambda item: item.box[axis]):
        if groups and item.box[axis] < end + least:
            groups[-1].append(item)
            end = max(end, item.box[axis + 2])
        else:
            groups.append([item])
            end = item.box[axis + 2]
    return groups


def _sharing_gutter(bands: list[list[Item]], unit: float) -> list[list[list[Item]]]:
    """Groups of neighbouring bands that have a gutter in common."""
    groups: list[list[list[Item]]] = []
    gutters: list[tuple[float, float]] = []
    for i, band in enumerate(bands):
        own = _gutters(band, unit)
        if groups and gutters and not _ends_columns(bands[i:], groups[-1], gutters, unit):
            common = _common(gutters, own, unit)
            if not common and (_is_heading(band) or _fills_column(band, groups[-1], gutters, unit)):
                common = _common(gutters, _beside(band), unit)
            if common:
                groups[-1].append(band)
                gutters = common
                continue
        groups.append([band])
        gutters = own
    return groups


def _ends_columns(
    bands: list[list[Item]], group: list[list[Item]], gutters: list[tuple[float, float]], unit: float
) -> bool:
    """Whether the first band is a heading that ends the columns. If only one goes on below it, it is part of that."""
    if not _is_heading(bands[0]):
        return False
    below = next((band for band in bands if not _is_heading(band)), None)
    return below is not None and not _fills_column(below, group, gutters, unit)


def _is_heading(band: list[Item]) -> bool:
    return len(band) == 1 and band[0].heading


def _fills_column(
    band: list[Item], group: list[list[Item]], gutters: list[tuple[float, float]], unit: float
) -> bool:
    """Whether a band continues a column of the bands above it: it is as wide, or it follows closely."""
    x0, x1 = min(item.box[0] for item in band), max(item.box[2] for item in band)
    items = [item for above in group for item in above]
    for left, right in gutters:
        for side in (
            [item for item in items if item.box[2] <= left + 1],
            [item for item in items if item.box[0] >= right - 1],
        ):
            if not side:
                continue
            s0, s1 = min(item.box[0] for item in side), max(item.box[2] for item in side)
            close = min(item.box[1] for item in band) - max(item.box[3] for item in side) < 1.3 * unit
            wide = min(x1, s1) - max(x0, s0) > 0.6 * (s1 - s0)
            if (wide or (close and abs(x0 - s0) < unit)) and s0 - x0 < 0.2 * (s1 - s0) > x1 - s1:
                return True
    return False


def _gutters(band: list[Item], unit: float) -> list[tuple[float, float]]:
    columns = _cut(band, 0, GUTTER * unit)
    edges = [(min(i.box[0] for i in column), max(i.box[2] for i in column)) for column in columns]
    return [(left[1], right[0]) for left, right in itertools.pairwise(edges)]


def _beside(band: list[Item]) -> list[tuple[float, float]]:
    """The space at the left and the right of a band."""
    x0, x1 = min(item.box[0] for item in band), max(item.box[2] for item in band)
    return [(float("-inf"), x0), (x1, float("inf"))]


def _common(
    some: list[tuple[float, float]], others: list[tuple[float, float]], unit: float
) -> list[tuple[float, float]]:
    return [
        (max(a0, b0), min(a1, b1))
        for a0, a1 in some
        for b0, b1 in others
        if min(a1, b1) - max(a0, b0) >= 0.5 * GUTTER * unit
    ]


def _are_columns(columns: list[list[Item]], unit: float) -> bool:
    """Whether groups side by side are columns of text. Otherwise they are rows of short texts, read row by row."""
    if all(len(column) == 1 for column in columns):
        return True
    return any(item.prose for column in columns for item in column)
