-- Format 1 of the state database. The number is SQLite's user_version; a
-- later format is a further step in schema.rs, never a change of this one.
CREATE TABLE policies (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    origin TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0,
    last_hit INTEGER
);
CREATE TABLE groups (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    origin TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed INTEGER NOT NULL,
    changed_by TEXT NOT NULL
);
CREATE TABLE senders (
    id INTEGER PRIMARY KEY,
    -- Comparable forms, under which a pair is the same pair.
    recipient TEXT NOT NULL,
    sender TEXT NOT NULL,
    action TEXT NOT NULL,
    -- Recipient, sender and note in lower case, for the search.
    sought TEXT NOT NULL,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    origin TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0,
    last_hit INTEGER,
    UNIQUE (recipient, sender)
);
CREATE INDEX senders_by_sender ON senders (sender);
CREATE INDEX senders_of_file ON senders (id) WHERE origin = 'file';
CREATE TABLE versions (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    author TEXT NOT NULL,
    note TEXT NOT NULL,
    restores INTEGER,
    differences INTEGER NOT NULL
);
CREATE TABLE differences (
    version INTEGER NOT NULL,
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    before TEXT,
    after TEXT,
    -- What was kept beside the object before, for a rollback.
    provenance TEXT,
    PRIMARY KEY (version, place)
) WITHOUT ROWID;
-- The next number of a policy or managed sender; it never goes back.
CREATE TABLE numbers (next INTEGER NOT NULL);
INSERT INTO numbers VALUES (1);
CREATE TABLE facts (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
