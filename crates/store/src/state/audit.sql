-- What people and programs did, for ever. Each row's hash covers the row and
-- the hash before it, so that nothing can be changed, removed or put between
-- unseen; SQLite's own sequence shows when the newest rows are gone.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    via TEXT NOT NULL,
    account INTEGER,
    token INTEGER,
    address TEXT,
    -- The reference of the attempt whose row was acted on.
    reference TEXT,
    subject TEXT NOT NULL,
    note TEXT NOT NULL,
    version INTEGER,
    details TEXT NOT NULL,
    -- All texts in lower case, for the search; made from the columns above.
    sought TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_of_account ON audit (account, number) WHERE account IS NOT NULL;
CREATE INDEX audit_of_version ON audit (version) WHERE version IS NOT NULL;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is never shortened'); END;
