"""Fovea's worker: reads the pages of documents as text (docs/ARCHITECTURE.md)."""
