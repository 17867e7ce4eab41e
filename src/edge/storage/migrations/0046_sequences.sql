-- The pages that a shard's worker reads in one sequence, as a JSON array; NULL: each page in a sequence of its own.
ALTER TABLE shards ADD COLUMN together TEXT;
