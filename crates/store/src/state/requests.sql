-- What refused senders wrote on the page that explains a refusal. `attempt` is
-- a document of the message center, kept because requests outlive events;
-- `words` is what a request is found by, in lower case.
CREATE TABLE review_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL,
    text TEXT NOT NULL,
    contact TEXT NOT NULL,
    address TEXT NOT NULL,
    received INTEGER NOT NULL,
    attempt TEXT,
    words TEXT NOT NULL,
    answered INTEGER,
    answered_by TEXT,
    note TEXT
) STRICT;
CREATE INDEX review_requests_of ON review_requests (reference);
CREATE INDEX review_requests_answered ON review_requests (answered);
