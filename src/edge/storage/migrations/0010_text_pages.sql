-- Page counts of a text by mode, because its layout depends on the mode. Other documents have files.page_count.
ALTER TABLE files ADD COLUMN text_pages TEXT;
