-- Where a telling goes: what is slow there must hold up nothing that goes
-- elsewhere. What waits from before goes nowhere in particular.
ALTER TABLE alert_tellings ADD COLUMN destination TEXT NOT NULL DEFAULT '';
CREATE INDEX alert_tellings_view ON alert_tellings (view);
CREATE INDEX alert_tellings_destination ON alert_tellings (destination, due, id);
