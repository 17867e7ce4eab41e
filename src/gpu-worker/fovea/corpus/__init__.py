"""Reads a corpus on a cluster without the service: the same readers, page results and training data (docs/CORPUS.md).

A manifest becomes a plan: its documents in order, some of them to a shard. Documents are opened and their pages drawn
(`opening`), pages are read (`reading`), and a shard is written when it has all its pages (`shards`). Then training data
are selected from the shards (`selecting`). `cluster` runs the stages on Ray, `alone` in one process. A shard's bytes
depend on the plan and the options alone, so a run that was killed continues by writing the shards that are missing.
"""
