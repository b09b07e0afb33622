-- Format 2: who may come in. Secrets that only have to be recognised are kept
-- as hashes; numbers of accounts and tokens are never used again.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- In comparable form.
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    password TEXT,
    totp_secret BLOB,
    -- The last time step of which a code was used (RFC 6238 section 5.2).
    totp_step INTEGER,
    preferences TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    signed_in INTEGER
);
CREATE TABLE recovery_codes (
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash BLOB NOT NULL,
    PRIMARY KEY (account, hash)
) WITHOUT ROWID;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX sessions_of_account ON sessions (account);
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Names of permissions and networks, as JSON lists.
    permissions TEXT NOT NULL,
    networks TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    last_used INTEGER,
    last_address TEXT
);
CREATE INDEX tokens_of_account ON tokens (account);
CREATE TABLE links (
    hash BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    account INTEGER REFERENCES accounts (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
