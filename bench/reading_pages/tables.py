"""The results as tables: measures by look and reader, verdicts, and a line per page."""

import csv
import itertools
import os
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from reading_pages.corpus import LOOKS, Sample
from reading_pages.harm import HARMS
from reading_pages.measures import GROUPS, Answer, Score, f1

RIGHT = 0.95
"""Share of the words from which a page is right."""
IN_ORDER = 0.9
"""Order below which a doubt about a page is not needless, although its words are right."""
STEPS = (0.0, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""Bounds of the classes of confidence."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one reader made of one page."""

    reader: str
    sample: Sample
    score: Score
    answer: Answer

    @property
    def confidence(self) -> float | None:
        """Mean over the characters of the blocks."""
        blocks = [block for block in self.answer.blocks if block.get("confidence") is not None]
        letters = sum(len(block["text"]) for block in blocks)
        return sum(b["confidence"] * len(b["text"]) for b in blocks) / letters if letters else None

    @property
    def is_right(self) -> bool:
        return self.score.words >= RIGHT

    @property
    def is_ok(self) -> bool:
        return self.answer.verdict == "ok"


def totals(rows: list[Row], against: dict[tuple[str, str], Row]) -> dict[str, float | None]:
    """Each measure over some pages of one reader: means, and F1 over the counts of all pages.

    `against`: rows of `tesseract` by page and look, for the ratios of seconds.
    """
    scores = [row.score for row in rows]
    result: dict[str, float | None] = {
        "pages": len(rows),
        "text": mean([s.text for s in scores]),
        "words": mean([s.words for s in scores]),
        "in order": mean([s.in_order for s in scores]),
        "order": mean([s.order for s in scores if s.order is not None]),
    }
    for group in GROUPS:
        counts = [s.counts[group] for s in scores if group in s.counts]
        result[group] = f1(*map(sum, zip(*counts, strict=True))) if counts else None
    with_tables = any(s.tables for s in scores)
    result["table"] = mean([value for s in scores for value in s.tables])
    result["table shape"] = mean([value for s in scores for value in s.shapes])
    result["false tables"] = sum(s.false_tables for s in scores) if with_tables else None
    result["CPU s"] = statistics.median(row.answer.cpu_s for row in rows)
    result["wall s"] = statistics.median(row.answer.wall_s for row in rows)
    pairs = [(row, against.get((row.sample.name, row.sample.look))) for row in rows]
    both = [(row.answer, other.answer) for row, other in pairs if other is not None]
    result["CPU × tesseract"] = statistics.median(a.cpu_s / b.cpu_s for a, b in both) if both else None
    result["wall × tesseract"] = statistics.median(a.wall_s / b.wall_s for a, b in both) if both else None
    result["peak MiB"] = max(row.answer.peak_mib for row in rows)
    return result


def mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def report(rows: list[Row]) -> str:
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.sample.look, row.reader, row.sample.group].append(row)
    against = {(row.sample.name, row.sample.look): row for row in rows if row.reader == "tesseract"}
    parts = [
        f"Load: {os.getloadavg()[0]:.1f}; cores: {os.cpu_count()}. F1 is over all pages, other measures are means; "
        "seconds and their ratios are medians per page. dev / held."
    ]
    for look in LOOKS:
        readers = list(dict.fromkeys(reader for at, reader, _ in groups if at == look))
        if not readers:
            continue
        tables = {
            reader: [
                totals(groups[look, reader, group], against)
                for group in ("dev", "held")
                if (look, reader, group) in groups
            ]
            for reader in readers
        }
        parts.append(f"\n**{look}**\n\n| measure | {' | '.join(readers)} |\n|---|{'---|' * len(readers)}")
        for name in tables[readers[0]][0]:
            cells = [" / ".join(shown(name, table[name]) for table in tables[reader]) for reader in readers]
            parts.append(f"| {name} | {' | '.join(cells)} |")
    for reader in dict.fromkeys(row.reader for row in rows if row.answer.verdict is not None):
        parts.append(verdicts(reader, [row for row in rows if row.reader == reader]))
    return "\n".join(parts)


def shown(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name in ("pages", "false tables", "peak MiB"):
        return f"{value:.0f}"
    return f"{value:.2f}" if name.endswith((" s", "tesseract")) else f"{value:.3f}"


def verdicts(reader: str, rows: list[Row]) -> str:
    """Verdict and confidence of one reader against what was read."""
    parts = [
        f"\n**Verdicts of {reader}** (a page is right if ≥ {RIGHT:.0%} of its words are)\n",
        "| pages | number | right | `ok` | right of those `ok` | right and not `ok` | of these out of order |\n"
        "|---|---|---|---|---|---|---|",
    ]
    for group in ("dev", "held"):
        for kind, looks in (("plain", LOOKS), ("harmed", HARMS), ("all", LOOKS | HARMS)):
            some = [row for row in rows if row.sample.group == group and row.sample.look in looks]
            if not some:
                continue
            right, fine = [row for row in some if row.is_right], [row for row in some if row.is_ok]
            needless = [row for row in right if not row.is_ok]
            torn = sum(row.score.order is not None and row.score.order < IN_ORDER for row in needless)
            share = sum(row.is_right for row in fine) / len(fine) if fine else 1.0
            parts.append(
                f"| {group}, {kind} | {len(some)} | {len(right)} | {len(fine)} | "
                f"{sum(row.is_right for row in fine)} ({share:.1%}) | {len(needless)} | {torn} |"
            )
    parts.append(
        "\n| mean confidence | pages | mean text | mean words | right pages |\n|---|---|---|---|---|"
    )
    for low, high, some in by_confidence(rows):
        parts.append(
            f"| {low}–{high} | {len(some)} | {mean([row.score.text for row in some]):.3f} | "
            f"{mean([row.score.words for row in some]):.3f} | {sum(row.is_right for row in some)} |"
        )
    return "\n".join(parts)


def by_confidence(rows: list[Row]) -> list[tuple[float, float, list[Row]]]:
    """The pages by classes of confidence that have pages: lower and upper bound, rows."""
    classes = []
    for low, high in itertools.pairwise(STEPS):
        some = [
            row for row in rows if row.confidence is not None and low <= min(row.confidence, 0.9999) < high
        ]
        if some:
            classes.append((low, high, some))
    return classes


def notes(rows: list[Row]) -> str:
    parts = []
    for row in rows:
        sample, result = row.sample, row.score
        if row.reader == "pp-ocr" and sample.group == "dev":
            parts.append(
                f"\n{sample.name} {sample.look}: {row.answer.verdict}, text {result.text:.3f}, words "
                f"{result.words:.3f}, in order {result.in_order:.3f}, order {shown('', result.order)}, "
                f"tables {[round(value, 2) for value in result.tables]}"
            )
            parts += [f"    {note}" for note in [*row.answer.warnings, *result.notes]]
    return "\n".join(parts)


def write_csv(rows: list[Row], path: Path) -> None:
    head = ["reader", "page", "set", "look", "text", "words", "in_order", "order"]
    head += [f"{group}_{name}" for group in GROUPS for name in ("found", "said", "true")]
    head += ["tables", "table_shapes", "false_tables", "verdict", "confidence", "cpu_s", "wall_s", "peak_mib"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        for row in rows:
            sample, result, answer = row.sample, row.score, row.answer
            counts = [number for group in GROUPS for number in result.counts.get(group, ("", "", ""))]
            writer.writerow(
                [
                    row.reader,
                    sample.name,
                    sample.group,
                    sample.look,
                    f"{result.text:.4f}",
                    f"{result.words:.4f}",
                    f"{result.in_order:.4f}",
                    "" if result.order is None else f"{result.order:.4f}",
                    *counts,
                    " ".join(f"{value:.3f}" for value in result.tables),
                    " ".join(f"{value:.3f}" for value in result.shapes),
                    result.false_tables,
                    answer.verdict or "",
                    "" if row.confidence is None else f"{row.confidence:.4f}",
                    f"{answer.cpu_s:.2f}",
                    f"{answer.wall_s:.2f}",
                    f"{answer.peak_mib:.0f}",
                ]
            )
