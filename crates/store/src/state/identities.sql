-- Format 9: people as a sign-in service of the organisation knows them. What
-- it calls them by (issuer and subject, OpenID Connect Core section 5.7) is
-- theirs for ever; their names and addresses there are not.
CREATE TABLE identities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- Whether the service decides what the account may do.
    gives_role INTEGER NOT NULL,
    linked INTEGER NOT NULL,
    linked_by TEXT NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_of_account ON identities (account);
