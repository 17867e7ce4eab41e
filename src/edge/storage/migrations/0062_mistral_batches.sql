-- Batches of Mistral's Batch API: what was asked, as JSON; NULL: the lines and the output have our own shape.
ALTER TABLE batches ADD COLUMN mistral TEXT;
-- When the batch is canceled unless it has ended.
ALTER TABLE batches ADD COLUMN due_at INTEGER;
