-- Policies of other domains about how mail goes to them (MTA-STS), as they
-- were fetched. Times are milliseconds; `days` is on how many days one was used.
CREATE TABLE transport_policies (
    domain TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    fetched INTEGER NOT NULL,
    used INTEGER NOT NULL,
    days INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
