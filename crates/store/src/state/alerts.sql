-- What is told of saved views, and to whom. `document` is read by the message
-- center alone; `secret` signs what goes to a program.
CREATE TABLE alerts (
    view INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    secret BLOB,
    since INTEGER NOT NULL,
    fired INTEGER,
    told INTEGER,
    failed TEXT,
    stopped TEXT
) STRICT;
-- What is still to be told. A row is written with the moment that an alert
-- fired, and goes once it was told or given up.
CREATE TABLE alert_tellings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    view INTEGER NOT NULL,
    document TEXT NOT NULL,
    made INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    due INTEGER NOT NULL
) STRICT;
CREATE INDEX alert_tellings_due ON alert_tellings (due);
