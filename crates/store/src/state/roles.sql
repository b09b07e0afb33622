-- Format 7: roles and limits. An account keeps the role it has; nobody is
-- limited, disabled or for emergencies until somebody says so.
ALTER TABLE accounts ADD COLUMN domains TEXT;
ALTER TABLE accounts ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN emergency INTEGER NOT NULL DEFAULT 0;
-- Roles somebody made, with all they allow; of a role there is from the start
-- what is switched on, once somebody has switched something.
CREATE TABLE roles (
    name TEXT PRIMARY KEY,
    permissions TEXT NOT NULL,
    note TEXT NOT NULL,
    changed INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) WITHOUT ROWID;
-- What one permission was is now several: tokens may what they could.
UPDATE tokens SET permissions = json_insert(permissions, '$[#]', 'see_subjects')
    WHERE permissions LIKE '%"see_metadata"%';
UPDATE tokens SET permissions = json_insert(permissions, '$[#]', 'daily_logs')
    WHERE permissions LIKE '%"export_metadata"%';
UPDATE tokens SET permissions = json_insert(permissions, '$[#]', 'edit_lists')
    WHERE permissions LIKE '%"edit_policies"%';
UPDATE tokens SET permissions =
    json_insert(permissions, '$[#]', 'release_harmless', '$[#]', 'release_dangerous')
    WHERE permissions LIKE '%"queue_actions"%';
