-- For texts: the requested mode, for which the pages are laid out.
ALTER TABLE kept_tokens ADD COLUMN layout TEXT;
