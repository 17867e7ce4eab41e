-- BCP-47 tags of the languages that the reader's worker last reported, a JSON array. NULL: it has not reported any.
ALTER TABLE models ADD COLUMN languages TEXT;
