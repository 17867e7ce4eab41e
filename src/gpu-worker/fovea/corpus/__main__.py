"""`python -m fovea.corpus MANIFEST --out FOLDER`: reads many documents on a cluster, or continues such a run."""

import argparse
import logging
import sys

from fovea.corpus.alone import Alone
from fovea.corpus.cluster import RayCluster, Resources
from fovea.corpus.options import FORMATS, MODES, VERDICTS, Filters, InputError, Options, Reading
from fovea.corpus.run import Engine, run
from fovea.corpus.store import StoreFault
from fovea.readers.base import TRANSCRIPTIONS
from fovea.settings import Settings

COMPLETE, FAULT, BAD_INPUT, DRAINED = 0, 1, 2, 75
"""Exit statuses. 75 (EX_TEMPFAIL): the run was told to stop; the same command continues it."""


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

    def say(line: str) -> None:
        print(f"fovea.corpus: {line}", file=sys.stderr, flush=True)

    try:
        outcome = run(
            given.manifest,
            given.out,
            _options(given),
            _engine(given),
            Settings.from_environment(),
            price=given.price,
            say=say,
        )
    except (InputError, ValueError) as error:
        say(str(error))
        return BAD_INPUT
    except StoreFault as error:
        say(f"stopped: {error}. The same command continues the run.")
        return FAULT
    if not outcome.complete:
        say("stopped; the same command continues the run")
        return DRAINED
    listed = outcome.manifest or {}
    say(
        f"complete: {listed['lines']:,} documents, {listed['pages']:,} pages, "
        f"{listed['training_data']['records']:,} of them training data"
    )
    return COMPLETE


def _options(given: argparse.Namespace) -> Options:
    reading = Reading(
        model=given.model,
        mode=given.mode,
        task=given.task,
        dpi=given.dpi,
        text_layer=given.text_layer,
        languages=_names(given.hint_languages),
        witness=given.witness,
        sample=given.sample,
        pages_per_document=given.pages_per_document,
        seed=given.seed,
    )
    filters = Filters(
        verdicts=_names(given.verdicts),
        languages=_names(given.languages),
        min_confidence=given.min_confidence,
        keep_near_duplicates=given.near_duplicates == "keep",
    )
    return Options(reading, filters, given.shard_documents, given.format)


def _engine(given: argparse.Namespace) -> Engine:
    """Raises `InputError`."""
    if given.batch is not None and given.batch < 1:
        raise InputError("--batch is at least 1.")
    if given.reader_cpus <= 0 or given.open_cpus <= 0:
        raise InputError("--reader-cpus and --open-cpus are above 0.")
    if given.engine == "alone":
        return Alone(given.batch or 1)
    return RayCluster(
        Resources(
            address=given.address,
            readers=_range(given.readers),
            reader_cpus=given.reader_cpus,
            reader_gpus=given.reader_gpus,
            open_cpus=given.open_cpus,
            batch=given.batch,
            cpus=given.cpus,
            object_store_bytes=given.object_store_bytes,
        )
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _range(text: str | None) -> tuple[int, int] | None:
    """`4` or `1-8`. Raises `InputError`."""
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise InputError("--readers is a number such as 4, or a range such as 1-8.")
    least, most = int(first), int(last or first)
    if not 1 <= least <= most:
        raise InputError("--readers is a number such as 4, or a range such as 1-8.")
    return least, most


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fovea.corpus", description=__doc__)
    parser.add_argument("manifest", help="file of paths, globs and addresses, one a line")
    parser.add_argument("--out", required=True, help="folder for the output: a path, s3://…, gs://…")
    add = parser.add_argument_group("reading").add_argument
    add("--model", required=True, help="reader, such as deepseek-ocr or pp-ocr")
    add("--mode", default="auto", choices=MODES)
    add("--task", default="markdown", choices=TRANSCRIPTIONS)
    add("--dpi", type=int, default=144)
    add("--text-layer", default="auto", choices=("auto", "never", "only"))
    add("--hint-languages", default="", help="BCP-47 tags of the documents' languages, for the reader")
    add("--witness", action="store_true", help="check pages with pp-ocr")
    add("--sample", type=float, default=1.0, help="share of the pages to read, 0 to 1")
    add("--pages-per-document", type=int, help="most pages to read of a document")
    add("--seed", type=int, default=0, help="of the choice of pages")
    add = parser.add_argument_group("training data").add_argument
    add("--verdicts", default="ok", help=f"of {', '.join(VERDICTS)}, separated by commas")
    add("--languages", default="", help="ISO 639-1 codes of pages to keep, separated by commas")
    add("--min-confidence", type=float, default=0.0, help="mean confidence of a page, 0 to 1")
    add("--near-duplicates", default="drop", choices=("drop", "keep"))
    add("--format", default="jsonl", choices=FORMATS)
    add("--shard-documents", type=int, default=64, help="documents whose pages make a shard")
    add = parser.add_argument_group("machines").add_argument
    add("--engine", default="ray", choices=("ray", "alone"), help="alone: in this process, without Ray")
    add("--address", help="of the Ray cluster; default: RAY_ADDRESS, or one that is started here")
    add("--readers", help="how many at once, such as 4, or 1-8 to grow and shrink; default: as many as fit")
    add("--reader-cpus", type=float, default=1.0, help="cores of a reader")
    add("--reader-gpus", type=float, help="GPUs of a reader; default: 1 if the model runs on GPUs")
    add("--open-cpus", type=float, default=0.5, help="cores of a task that draws pages")
    add("--batch", type=int, help="pages that a reader gets at once; default: 4, or 32 on a GPU")
    add("--cpus", type=int, help="cores of a cluster that is started here")
    add(
        "--object-store-bytes", type=int, help="memory for pages in transit of a cluster that is started here"
    )
    add("--price", type=float, default=0.0, help="dollars an hour of one reader, for the cost so far")
    return parser


if __name__ == "__main__":
    sys.exit(main())
