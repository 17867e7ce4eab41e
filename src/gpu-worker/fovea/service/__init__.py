"""Processes a shard: fetches the document, chooses pages and modes, reads the pages and pushes them."""
