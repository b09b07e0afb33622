-- Beside every message stands what was done from its row.
CREATE INDEX audit_of_row ON audit (reference) WHERE reference IS NOT NULL;
