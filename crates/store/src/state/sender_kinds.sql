-- From format 16 to 17 of the state database: a managed sender can match the
-- domain of a DKIM signature (`dkim:` before it) and count for authenticated
-- mail alone, which a program of an older format could not read.
ALTER TABLE senders ADD COLUMN kind TEXT NOT NULL DEFAULT 'domain';
ALTER TABLE senders ADD COLUMN authenticated_only INTEGER NOT NULL DEFAULT 0;
UPDATE senders SET kind = 'address' WHERE instr(sender, '@') > 0;
