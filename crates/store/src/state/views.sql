-- Lists that somebody saved under a name. What is asked for is a document
-- that this crate does not read.
CREATE TABLE saved_views (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    shared INTEGER NOT NULL,
    request TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX saved_views_of ON saved_views (owner, name);
