-- Recipients known by name: learned from mail that the next hop took, or
-- imported by somebody. Times are milliseconds; addresses and domains are in
-- comparable form.
CREATE TABLE recipients (
    address TEXT PRIMARY KEY,
    imported INTEGER NOT NULL,
    learned INTEGER,
    confirmed INTEGER
) STRICT, WITHOUT ROWID;
-- When each domain began to learn.
CREATE TABLE recipient_domains (
    domain TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
