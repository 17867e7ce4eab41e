-- Extractions by day, key and model; tokens as the provider of the model counts them.
ALTER TABLE usage ADD COLUMN extractions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN extractions_cached INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN extraction_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN extraction_output_tokens INTEGER NOT NULL DEFAULT 0;
