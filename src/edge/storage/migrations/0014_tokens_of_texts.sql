-- Of a text: the mode that was asked for, for which its pages are laid out.
ALTER TABLE kept_tokens ADD COLUMN layout TEXT;
