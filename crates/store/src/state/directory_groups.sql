-- From format 15 to 16 of the state database: the origin of a group can be
-- `directory` or `gone`, which a program of an older format would take for a
-- group of people's.
CREATE INDEX groups_by_origin ON groups (origin);
