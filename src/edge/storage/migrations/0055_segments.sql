-- The memory, rebuilt: texts are kept, sealed in segments, and page images are a cache of them for a provider's profile.

-- profile: whose tokens and prices a view counts by default. recent: newest messages that are never sealed. fade: ladder
-- of forms as JSON; NULL: only the budget makes segments fainter. reader: model that checks images; NULL: none.
-- lease: token of the invocation that holds the lease. version: raised by every change of what a view shows.
ALTER TABLE contexts ADD COLUMN profile TEXT NOT NULL DEFAULT 'deepseek-ocr';
ALTER TABLE contexts ADD COLUMN recent INTEGER NOT NULL DEFAULT 12;
ALTER TABLE contexts ADD COLUMN fade TEXT;
ALTER TABLE contexts ADD COLUMN reader TEXT;
ALTER TABLE contexts ADD COLUMN lease TEXT;
ALTER TABLE contexts ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contexts DROP COLUMN ladder;

-- segment_id: the segment in which the message is sealed; NULL: it is not sealed. content: the message as JSON while it
-- is not sealed; afterwards it is in the segment's object in R2. NULL without a segment: a message from before this
-- migration, whose text is an object of its own.
ALTER TABLE context_messages RENAME COLUMN item_id TO segment_id;
ALTER TABLE context_messages DROP COLUMN next_item_id;
ALTER TABLE context_messages ADD COLUMN content TEXT;
CREATE INDEX context_messages_unsealed ON context_messages (context_id, number) WHERE segment_id IS NULL;
CREATE INDEX context_messages_pinned ON context_messages (context_id, number) WHERE pinned = 1;
CREATE INDEX context_messages_by_segment ON context_messages (segment_id) WHERE segment_id IS NOT NULL;

-- A sealed run of messages. users: how many of them are of the role `user`. index_line: what a view shows of a segment
-- that it leaves out. erased: whether its texts are deleted.
CREATE TABLE context_segments (
  id TEXT PRIMARY KEY,
  context_id TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  text_tokens INTEGER NOT NULL,
  users INTEGER NOT NULL,
  importance REAL NOT NULL,
  index_line TEXT NOT NULL,
  index_tokens INTEGER NOT NULL,
  newest_at INTEGER NOT NULL,
  erased INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
);
CREATE INDEX context_segments_by_context ON context_segments (context_id, first);

-- The pages of a segment in one form of a profile. state: making, checking, ready, failed. job: the document to render
-- and its job as JSON, while it is being made. pages: JSON; boxes: where each message is on them, JSON. sidecar: terms
-- that the reader did not read exactly, JSON. tokens: of the images and the sidecar. precision: share of characters that
-- the reader read; NULL: not checked.
CREATE TABLE context_renders (
  id TEXT PRIMARY KEY,
  context_id TEXT NOT NULL,
  segment_id TEXT NOT NULL,
  profile TEXT NOT NULL,
  form TEXT NOT NULL,
  state TEXT NOT NULL,
  job TEXT,
  pages TEXT NOT NULL DEFAULT '[]',
  boxes TEXT NOT NULL DEFAULT '[]',
  sidecar TEXT NOT NULL DEFAULT '[]',
  tokens INTEGER NOT NULL DEFAULT 0,
  precision REAL,
  error TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (segment_id, profile, form)
);
CREATE INDEX context_renders_by_context ON context_renders (context_id);

-- What a view of a profile shows of each segment. forms: {segment: form}, JSON; a segment that is not in it is text.
CREATE TABLE context_views (
  context_id TEXT NOT NULL,
  profile TEXT NOT NULL,
  forms TEXT NOT NULL DEFAULT '{}',
  over_budget TEXT,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (context_id, profile)
) WITHOUT ROWID;

-- Images whose messages still have all their texts are made again from these. Images of erased messages are the only
-- copy: each becomes a segment with one render. The label of a page takes about 24 tokens.
UPDATE context_messages SET segment_id = NULL, recall = NULL
  WHERE segment_id IS NOT NULL AND segment_id NOT IN (
    SELECT i.id FROM context_items i JOIN context_messages m ON m.segment_id = i.id
    WHERE m.erased = 1 AND i.state = 'ready');
INSERT INTO context_segments
  SELECT i.id, i.context_id, min(m.number), max(m.number), sum(m.text_tokens), sum(m.role = 'user'), max(m.importance),
    'Messages ' || min(m.number) || ' to ' || max(m.number), 8, max(m.created_at), 1, i.created_at
  FROM context_items i JOIN context_messages m ON m.segment_id = i.id AND m.erased = 1 GROUP BY i.id;
INSERT INTO context_renders (id, context_id, segment_id, profile, form, state, pages, tokens, created_at)
  SELECT i.id, i.context_id, i.id, 'deepseek-ocr', i.form, 'ready',
    (SELECT json_group_array(json_object('fileId', p.value ->> 'fileId', 'width', p.value ->> 'width',
       'height', p.value ->> 'height', 'tokens', p.value ->> 'tokens', 'detail', i.form, 'messages',
       (SELECT json_group_array(json_object('number', m.number, 'role', m.role)) FROM context_messages m
        WHERE m.segment_id = i.id AND m.number BETWEEN p.value ->> 'first' AND p.value ->> 'last')))
     FROM json_each(i.pages) p),
    (SELECT sum(p.value ->> 'tokens') + 24 * count(*) FROM json_each(i.pages) p), i.created_at
  FROM context_items i JOIN context_segments s ON s.id = i.id;
INSERT INTO context_views (context_id, profile, forms, changed_at)
  SELECT context_id, 'deepseek-ocr', json_group_object(segment_id, form), 0 FROM context_renders GROUP BY context_id;
-- Texts that still exist are kept, and erased when that is due, as those of any other message.
UPDATE context_messages SET segment_id = NULL, recall = NULL WHERE segment_id IS NOT NULL AND erased = 0;
DROP TABLE context_items;

-- The documents of images that are dropped, and what was read from them. The sweep erases their objects in R2 and cancels
-- their open jobs.
CREATE TABLE leftovers AS SELECT id, tenant_id FROM files WHERE context_id IS NOT NULL AND id NOT IN
  (SELECT p.value ->> 'fileId' FROM context_renders r, json_each(r.pages) p);
INSERT INTO erasures (file_id, tenant_id, due_at) SELECT id, tenant_id, 0 FROM leftovers WHERE true
  ON CONFLICT (file_id) DO UPDATE SET due_at = 0;
DELETE FROM flights WHERE shard_id IN (SELECT id FROM shards WHERE file_id IN (SELECT id FROM leftovers))
  OR job_id IN (SELECT id FROM jobs WHERE file_id IN (SELECT id FROM leftovers));
DELETE FROM results WHERE file_id IN (SELECT id FROM leftovers);
DELETE FROM kept_tokens WHERE file_id IN (SELECT id FROM leftovers);
DELETE FROM shards WHERE file_id IN (SELECT id FROM leftovers);
DELETE FROM files WHERE id IN (SELECT id FROM leftovers);
DROP TABLE leftovers;
UPDATE contexts SET due_at = 0 WHERE deleted_at IS NULL;
