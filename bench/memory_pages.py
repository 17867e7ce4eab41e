"""How much the pages of conversations hold, and how much of them a reader reads back.

    .venv/bin/python bench/memory_pages.py --reader none --out holds.csv     # what the pages hold
    .venv/bin/python bench/memory_pages.py --out pages-pp-ocr.csv            # and what pp-ocr reads back
    .venv/bin/python bench/memory_pages.py --forms profiles --kinds chat     # in the forms of the profiles
    .venv/bin/python bench/memory_pages.py --forms 512x512@9 --kinds chat    # one form; prints only

`--out` names a file in docs/memory. Rows of other pages, kinds and readers stay in it, so that a run can be in parts.

Three kinds of conversations: `prose`, one long message; `chat`, short messages with ids; `tools`, calls and results
with JSON, tables and code. The English is that of Python's own help texts (`pydoc_data.topics`), which are on every
machine. A message is found again as a context finds it: by the words that stand within its boxes.
"""

import argparse
import csv
import json
import re
from dataclasses import dataclass
from functools import cache
from random import Random

import nano
from nano import ROOT, shown, text_tokens, write

from fovea.pages.conversation import ConversationPage, pages_of
from fovea.pages.documents import Raster
from fovea.result.page_result import Box, PageResult

nano.OUT = ROOT / "docs" / "memory"
FORMS = (
    "512x512@12", "512x512@9", "512x512@7", "512x2048@12", "640x640@13", "768x768@14", "768x768@11",
    "1024x1024@14", "1092x1092@12", "1092x1092@9", "1280x1280@14",
)  # fmt: skip
PROFILE_FORMS = (
    "512x512@16", "512x512@12", "512x512@9", "640x640@13", "768x768@12", "768x768@10", "1024x1024@14",
    "1024x1024@10", "768x2048@14", "1008x1176@12", "1008x1176@10", "1008x1176@9", "1024x1536@12",
    "1024x1536@10", "1024x1536@9", "1536x1536@14", "1536x1536@12", "1536x1536@10",
)  # fmt: skip
"""Those of src/edge/domain/memory/profiles.ts."""
KINDS = ("prose", "chat", "tools")
ID = re.compile(r"(?<![\w-])(?=[\w/.:-]*\d)(?=[\w/.:-]*[A-Za-z-])[A-Za-z0-9][\w/:.-]{5,}\w")
"""What must come back exactly: letters and digits in one word, such as order numbers, dates and hashes."""


@dataclass(slots=True)
class Form:
    width: int
    height: int
    size: int

    @classmethod
    def of(cls, name: str) -> "Form":
        return cls(*map(int, re.split("[x@]", name)))


@dataclass(slots=True)
class Message:
    role: str
    text: str


@dataclass(slots=True)
class Score:
    """Sums over messages of full pages."""

    characters: int = 0
    errors: int = 0
    ids: int = 0
    exact_ids: int = 0
    messages: int = 0
    exact: int = 0

    def add(self, said: str, text: str) -> None:
        from fovea.train.evaluate import distance

        ids = ID.findall(text)
        self.ids += len(ids)
        self.exact_ids += sum(one in said for one in ids)
        said, text = squeezed(said), squeezed(text)
        self.characters += len(text)
        self.errors += min(len(text), distance(said, text))
        self.messages += 1
        self.exact += said == text


QUOTES = str.maketrans("‘’“”", "''\"\"")


def squeezed(text: str) -> str:
    """Without white space and with plain quotes: how a reader writes these is not what is measured."""
    return "".join(text.translate(QUOTES).split())


# -- conversations -------------------------------------------------------------------------------------


@cache
def paragraphs() -> list[str]:
    """English prose: paragraphs of Python's help texts without code and markup."""
    from pydoc_data.topics import topics

    found = []
    for name in sorted(topics):
        for part in topics[name].split("\n\n"):
            text = " ".join(part.split())
            if (
                len(text.split()) >= 15
                and not part.startswith("   ")
                and not re.search(r"[*`_|<>\\^~{}=]", text)
            ):
                found.append(text)
    return found


def words(random: Random, count: int) -> str:
    """Whole sentences of about `count` words."""
    said: list[str] = []
    while len(said) < count:
        said += random.choice(paragraphs()).split()
    return " ".join(said[:count]).rstrip(",;:. ") + "."


def identifier(random: Random) -> str:
    letters, signs = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789", "0123456789abcdef"
    pick = lambda alphabet, count: "".join(random.choice(alphabet) for _ in range(count))  # noqa: E731
    return random.choice(
        [
            f"TKT-{pick(letters, 7)}/{random.choice('ABC')}",
            f"2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
            f"{pick(signs, 8)}-{pick(signs, 4)}",
            f"https://example.com/orders/{random.randint(10**5, 10**6)}",
            f"INV-{random.randint(10**6, 10**7)}",
            f"v{random.randint(1, 9)}.{random.randint(0, 20)}.{random.randint(0, 9)}-rc{random.randint(1, 9)}",
        ]
    )


def with_ids(random: Random, text: str) -> str:
    said = text.split()
    for _ in range(max(1, len(said) // 25)):
        said.insert(random.randrange(len(said)), identifier(random))
    return " ".join(said)


def prose(random: Random) -> list[Message]:
    return [Message("assistant", "\n\n".join(words(random, random.randint(40, 120)) for _ in range(60)))]


def chat(random: Random) -> list[Message]:
    messages = [Message("system", words(random, 30))]
    for _ in range(60):
        messages.append(Message("user", with_ids(random, words(random, random.randint(6, 40)))))
        messages.append(Message("assistant", with_ids(random, words(random, random.randint(20, 110)))))
    return messages


def tools(random: Random) -> list[Message]:
    messages = []
    for _ in range(30):
        order = identifier(random)
        messages.append(Message("user", with_ids(random, words(random, random.randint(6, 25)))))
        call = json.dumps({"order": order, "fields": ["status", "carrier"], "limit": random.randint(1, 50)})
        messages.append(Message("assistant", f"lookup_order\n\n```json\n{call}\n```"))
        rows = "\n".join(
            f"| {identifier(random)} | {words(random, 3)} | {random.randint(1, 99999) / 100} |"
            for _ in range(4)
        )
        messages.append(Message("tool", f"| Id | Item | Price |\n|---|---|---|\n{rows}"))
        messages.append(
            Message("assistant", f"**Found:** {with_ids(random, words(random, 30))}\n\n- {order}\n- done")
        )
    return messages


def document(messages: list[Message], form: Form, row: int | None = None) -> bytes:
    page = {"width": form.width, "height": form.height, "size": form.size} | ({"row": row} if row else {})
    body = {
        "schema": 1,
        "page": page,
        "messages": [
            {"number": number, "role": message.role, "name": None, "text": message.text}
            for number, message in enumerate(messages, 1)
        ],
    }
    return json.dumps(body).encode()


def full_pages(kind: str, form: Form, count: int, seed: int = 0) -> list[ConversationPage]:
    """`count` pages that other pages follow, from as many conversations as needed."""
    found: list[ConversationPage] = []
    while len(found) < count:
        random = Random(f"{kind} {seed}")
        found += pages_of(document(globals()[kind](random), form))[:-1][: max(1, count - len(found))]
        seed += 1
    return found


# -- reading -------------------------------------------------------------------------------------------


def drawn_text(page: ConversationPage, number: int) -> str:
    """What is drawn of a message on a page, without its label."""
    message = [block.message for block in page.blocks]
    order = sorted(set(message), key=message.index)
    parts = sorted({line.part for _, _, line in page.page.placed})
    part = parts[order.index(number)]
    lines = [line for _, _, line in page.page.placed if line.part == part]
    return " ".join(word for line in lines for _, word, _ in sorted(line.words))


def text_in_boxes(result: PageResult, boxes: list[Box]) -> str:
    """The words of a reading whose centre is within a box, row by row. Without words, lines; without lines, blocks."""
    lines = [line for block in result.blocks for line in block.lines or [block]]
    said = []
    for box in boxes:
        rows: list[list[tuple[Box, str]]] = []
        found = []
        for line in lines:
            inside = [word for word in getattr(line, "words", None) or [line] if _within(word.bbox, box)]
            if inside:
                found.append((line.bbox, " ".join(word.text for word in inside)))
        found.sort(key=lambda one: one[0][1] + one[0][3])
        for place, text in found:
            middle = (place[1] + place[3]) / 2
            if (
                rows and middle < rows[-1][0][0][3]
            ):  # it begins above the end of the line before: the same row
                rows[-1].append((place, text))
            else:
                rows.append([(place, text)])
        said += [text for row in rows for _, text in sorted(row)]
    return " ".join(said)


def _within(part: Box, box: Box) -> bool:
    x, y = (part[0] + part[2]) / 2, (part[1] + part[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def score(page: ConversationPage, result: PageResult, total: Score) -> None:
    for number in dict.fromkeys(block.message for block in page.blocks):
        boxes = [block.bbox for block in page.blocks if block.message == number]
        total.add(text_in_boxes(result, boxes), drawn_text(page, number))


def load_reader(name: str):
    from fovea.readers import load_readers

    return load_readers((name,))[name]


def measure(kind: str, form: Form, reader, given: argparse.Namespace) -> dict:
    from fovea.readers import ReadRequest

    pages = full_pages(kind, form, given.count)
    held = [text_tokens("\n\n".join(block.text for block in page.blocks)) for page in pages]
    row = {
        "page": f"{form.width} x {form.height}",
        "type px": form.size,
        "columns": pages[0].page.sheet.columns,
        "kind": kind,
        "pages": len(pages),
        "messages a page": sum(len({b.message for b in page.blocks}) for page in pages) / len(pages),
        "letters a page": sum(len(b.text) for page in pages for b in page.blocks) // len(pages),
        "text tokens a page": sum(held) // len(held),
    }
    if reader is None:
        return row
    total, seconds, read = Score(), 0.0, 0
    for page in pages[: given.read]:
        if total.characters >= given.letters:
            break
        read += 1
        image = page.page.draw()[0].convert("RGB")
        result = reader.read(Raster(1, image, None), ReadRequest())
        seconds += sum(result.timings_ms.values()) / 1000
        score(page, result, total)
    return row | {
        "reader": reader.name,
        "pages read": read,
        "precision": 1 - total.errors / max(1, total.characters),
        "ids": total.ids,
        "ids exact": total.exact_ids / max(1, total.ids),
        "messages": total.messages,
        "messages exact": total.exact / max(1, total.messages),
        "seconds a page": seconds / read,
    }


KEY = ("page", "type px", "kind", "reader")


def kept(name: str | None) -> dict[tuple[str, ...], dict]:
    """The rows of an earlier run."""
    path = nano.OUT / name if name else None
    if path is None or not path.exists():
        return {}
    with path.open(newline="") as file:
        return {tuple(row.get(column, "") for column in KEY): row for row in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reader", default="pp-ocr")
    parser.add_argument("--forms", nargs="*", default=FORMS, help="or `profiles`")
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--count", type=int, default=6, help="full pages of each form and kind")
    parser.add_argument("--read", type=int, default=2, help="how many of them are read")
    parser.add_argument(
        "--letters", type=int, default=10**9, help="after so many letters no other page is read"
    )
    parser.add_argument("--out", help="name of the CSV file in docs/memory")
    given = parser.parse_args()
    reader = None if given.reader == "none" else load_reader(given.reader)
    rows = kept(given.out)
    for name in PROFILE_FORMS if given.forms == ["profiles"] else given.forms:
        for kind in given.kinds:
            row = measure(kind, Form.of(name), reader, given)
            rows[tuple(str(row.get(column, "")) for column in KEY)] = row
            print(shown(row), flush=True)
            if given.out:
                write(given.out, list(rows.values()))


if __name__ == "__main__":
    main()
