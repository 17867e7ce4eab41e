"""Trains a model from scratch or from a checkpoint: `python -m fovea.train --help`."""
