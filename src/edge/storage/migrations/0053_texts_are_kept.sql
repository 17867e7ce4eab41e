-- erase_after: how many seconds old a message must be before its text is erased, once it is part of an image. 0: as soon
-- as the image exists; NULL: never. It replaces `keep`, whose value `original` is NULL here and `hash` is 0.
ALTER TABLE contexts ADD COLUMN erase_after INTEGER;
UPDATE contexts SET erase_after = 0 WHERE keep = 'hash';
ALTER TABLE contexts DROP COLUMN keep;
