-- When each domain that learns lost recipients for lack of room, if that is
-- why it learns.
ALTER TABLE recipient_domains ADD COLUMN pushed_out INTEGER;
