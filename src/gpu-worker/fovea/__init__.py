"""Fovea's worker: a page goes in, text comes out (docs/ARCHITECTURE.md)."""
