-- The form in which a job's pages are answered, as JSON; NULL: that of jobs from before there was a choice.
ALTER TABLE jobs ADD COLUMN presentation TEXT;
