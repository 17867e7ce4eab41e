"""A shard's way through the worker: fetch the document, choose pages and modes, read, push, end."""
