from lines import blocks, line

from fovea.layout.line import Line
from fovea.layout.pitch import with_fixed_pitch

CODE = """/**
 * Sets things up.
 */
export async function setUp(options) {
  try {
    const release = await lock(options);
    say(
      `first start: ${options.size} to load`
    );
  } finally {
    release();
  }
}""".splitlines()
LETTER = """We thank you for the letter of the third
of May, which has reached us only today.
The parts that you ask for are in stock,
and will be sent to you by rail on Friday
unless we hear from you before that day.
Our agent in the city is at your service
with all that concerns the installation,
and the price remains as it was agreed.""".splitlines()


def typed(rows, x=100, y=100, known=12):
    """Lines on a grid, whose boxes have a margin. Shorter ones than `known` do not show their type."""
    lines = []
    for i, row in enumerate(rows):
        if text := row.strip():
            left = x + 10 * (len(row) - len(row.lstrip())) - 2
            mono = len(text) >= known
            lines.append(line(text, left, y + 24 * i, 10 * len(text) + 4, mono=mono))
    return lines


def test_a_listing_owns_its_short_lines():
    (code,) = blocks(typed(CODE))
    assert code.type == "code"
    assert code.text.split("\n") == CODE


def test_a_blank_line_among_short_ones_does_not_end_a_listing():
    rows = [*CODE[:3], "", *CODE[3:], "", "/**", " * Undone.", " */", "function undo(release) {", "}"]
    (code,) = blocks(typed(rows))
    assert code.text.split("\n") == [row for row in rows if row]


def test_parts_of_a_row_keep_their_gaps():
    rows = ["export const settings = ({", "PORT=8787", "DATA=.fovea", "MODEL=pp-ocr"]
    notes = ["", "# where the edge listens", "# folder of the data", "# the default reader"]
    parts = [*typed(rows), *typed([" " * 21 + note for note in notes])]
    (code,) = blocks(parts)
    assert code.type == "code"
    assert code.text.split("\n") == [
        f"{row:21}{note}".rstrip() for row, note in zip(rows, notes, strict=True)
    ]


def test_other_text_below_and_beside_a_listing_is_no_part_of_it():
    below = line("Then it is ready for use.", 98, 100 + 24 * len(CODE) + 20, 180)
    beside = line("A note in the margin", 700, 230, 150)
    found = blocks([*typed(CODE), below, beside])
    assert [block.text for block in found if block.type != "code"] in (
        [below.text, beside.text],
        [beside.text, below.text],
    )


def measured(rows, wide=(), pitch=10.0):
    """Lines without words, as of a reader that does not know the places of letters. `wide`: widths of characters."""
    widths = dict(wide)
    return [
        Line(98, 100 + 26 * i, 102 + sum(widths.get(one, pitch) for one in row), 120 + 26 * i, row, 0.9)
        for i, row in enumerate(rows)
    ]


def test_the_widths_of_lines_show_type_of_fixed_pitch():
    assert all(one.mono for one in with_fixed_pitch(measured(LETTER)))
    misread = [LETTER[0].replace("thank", "th ank"), *LETTER[1:]]
    lines = [*measured(LETTER)]
    lines[0] = Line(lines[0].x0, lines[0].y0, lines[0].x1, lines[0].y1, misread[0], 0.9)
    assert all(one.mono for one in with_fixed_pitch(lines))
    proportional = {**dict.fromkeys("iljtfr .,I", 5), **dict.fromkeys("mwMW", 16)}
    assert not any(one.mono for one in with_fixed_pitch(measured(LETTER, proportional)))
    assert not any(one.mono for one in with_fixed_pitch(measured(LETTER[:4])))


def test_a_typescript_stays_prose_and_its_sentences_stay_in_their_lines():
    lines = with_fixed_pitch(measured(LETTER))
    first = lines[0]
    parts = [
        Line(first.x0, first.y0, first.x0 + 164, first.y1, LETTER[0][:16], 0.9, mono=True),
        Line(first.x0 + 180, first.y0, first.x1 + 10, first.y1, LETTER[0][17:], 0.9, mono=True),
    ]
    (text,) = blocks([*parts, *lines[1:]])
    assert text.type == "text"
    assert " ".join(text.text.split()) == " ".join(LETTER)
