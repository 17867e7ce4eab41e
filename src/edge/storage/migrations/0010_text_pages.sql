-- How many pages a text has in each mode: it is laid out for the one that it is read in. Of other documents files.page_count says it.
ALTER TABLE files ADD COLUMN text_pages TEXT;
