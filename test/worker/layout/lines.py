"""Lines for the tests of the layout rules."""

from fovea.layout.line import Line, Page, Word
from fovea.layout.page import lay_out

WIDTH, HEIGHT = 1000, 1400


def line(text, x, y, width=None, height=20, **style):
    """A line with words that are as wide as their letters."""
    width = width or 10 * len(text)
    pitch = width / len(text)
    words, at = [], 0
    for word in text.split(" "):
        if word:
            words.append(Word(word, x + at * pitch, x + (at + len(word)) * pitch))
        at += len(word) + 1
    return Line(x, y, x + width, y + height, text, 0.9, tuple(words), **style)


def prose(text, x, y, count, width=420, step=26):
    """A paragraph of full lines."""
    return [line(f"{text} {'words ' * 5}{i}", x, y + step * i, width) for i in range(count)]


def blocks(lines, **page):
    return lay_out(Page(lines, WIDTH, HEIGHT, **page))
