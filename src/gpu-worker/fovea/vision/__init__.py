"""Modes, views and the choice of the mode, without PyTorch."""
