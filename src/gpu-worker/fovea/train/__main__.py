"""`python -m fovea.train FOLDER --minutes 120`: trains `fovea-nano`, or resumes the run in the folder."""

import argparse
from pathlib import Path

from fovea.train.loop import GOING_ON, PARTS, Run, config_of, train
from fovea.vision.views import MODES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fovea.train", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the run: checkpoint, weights, logs")
    parser.add_argument(
        "--minutes", type=float, required=True, help="length of the whole run, including earlier parts"
    )
    parser.add_argument("--steps", type=int, help="end after this number of steps, even if minutes are left")
    parser.add_argument("--device", default="cpu", help="cpu (the default) or cuda")
    parser.add_argument(
        "--processes", type=int, default=2, help="training processes that share the cores (CPU only)"
    )
    parser.add_argument("--workers", type=int, default=1, help="data processes per training process")
    parser.add_argument("--count", type=int, help="strips per step: 8 or 16 on a CPU, hundreds on a GPU")
    parser.add_argument(
        "--again", action="store_true", help="reuse strips while no new ones are ready (for GPUs)"
    )
    parser.add_argument("--rate", type=float, default=1.5e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start-from", type=Path, help="initial weights (a folder of safetensors)")
    parser.add_argument("--pairs", type=Path, help="your own pages: a folder of images, each with its text")
    parser.add_argument("--mode", choices=MODES, default="base", help="mode of these pages")
    parser.add_argument("--only", choices=PARTS, default="all", help="part of the model to train")
    given = parser.parse_args()
    further = GOING_ON if given.start_from and not given.pairs else {}
    train(Run(config=config_of(given.start_from), **further, **vars(given)))


if __name__ == "__main__":
    main()
