-- Devices and programs that send mail with a name and password. `senders` and
-- `networks` are JSON lists of texts; times are milliseconds.
CREATE TABLE submitters (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL,
    senders TEXT NOT NULL,
    networks TEXT NOT NULL,
    note TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    last_used INTEGER,
    last_address TEXT
) STRICT, WITHOUT ROWID;
