"""Training a checkpoint of the architecture from nothing, or going on from one. `python -m fovea.train --help`."""
