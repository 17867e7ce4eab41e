"""`python -m fovea.train FOLDER --minutes 120`: trains `fovea-nano`, or goes on with what the folder holds."""

import argparse
from pathlib import Path

from fovea.train.loop import GOING_ON, PARTS, Run, config_of, train
from fovea.vision.views import MODES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fovea.train", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the run: checkpoint, weights, logs")
    parser.add_argument(
        "--minutes", type=float, required=True, help="of the whole run, earlier parts included"
    )
    parser.add_argument("--steps", type=int, help="end after so many steps, minutes left or not")
    parser.add_argument("--device", default="cpu", help="cpu (the default) or cuda")
    parser.add_argument("--processes", type=int, default=2, help="on a CPU, each with its share of the cores")
    parser.add_argument("--workers", type=int, default=1, help="processes that make data, for each of those")
    parser.add_argument("--count", type=int, help="strips of a step: 8 or 16 on a CPU, hundreds on a GPU")
    parser.add_argument(
        "--again", action="store_true", help="see strips again while no new ones are ready: on a GPU"
    )
    parser.add_argument("--rate", type=float, default=1.5e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start-from", type=Path, help="weights to begin with (a folder of safetensors)")
    parser.add_argument(
        "--pairs", type=Path, help="pages of your own: a folder of images, each with its text"
    )
    parser.add_argument("--mode", choices=MODES, default="base", help="in which those pages are seen")
    parser.add_argument("--only", choices=PARTS, default="all", help="what is trained")
    given = parser.parse_args()
    further = GOING_ON if given.start_from and not given.pairs else {}
    train(Run(config=config_of(given.start_from), **further, **vars(given)))


if __name__ == "__main__":
    main()
