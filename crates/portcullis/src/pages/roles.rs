//! What each role allows, as a page.

use std::fmt::Write as _;

use types::{Permission, Reach, Role};

/// The page `docs/reference/roles.md`.
pub fn page() -> String {
    let mut page = String::from("# Roles and permissions\n\n");
    page += &super::generated_from("crates/types/src/role.rs and permission.rs");
    page += INTRODUCTION;
    let labels: Vec<&str> = Role::ALL.iter().map(|role| role.label()).collect();
    let _ = writeln!(page, "\n| permission | {} |", labels.join(" | "));
    let _ = writeln!(page, "|---|{}", ":-:|".repeat(labels.len()));
    for permission in Permission::ALL {
        let cells: Vec<&str> = Role::ALL.iter().map(|role| cell(*role, *permission)).collect();
        let _ = writeln!(page, "| `{}` | {} |", permission.slug(), cells.join(" | "));
    }
    page += "\n## Roles\n\n";
    for role in Role::ALL {
        let _ = writeln!(page, "- **{}** (`{}`): {}", role.label(), role.slug(), role.doc());
    }
    page += "\n## Permissions\n\n";
    for permission in Permission::ALL {
        let limited = match permission.reach() {
            Reach::Recipients => "",
            Reach::House => " Not for who is limited to some domains or groups.",
        };
        let _ = writeln!(page, "- `{}`: {}{limited}", permission.slug(), permission.doc());
    }
    page
}

fn cell(role: Role, permission: Permission) -> &'static str {
    match (role.fixed().has(permission), role.permissions().has(permission)) {
        (true, _) => "●",
        (false, true) => "◐",
        (false, false) if role.optional().has(permission) => "○",
        (false, false) => "–",
    }
}

const INTRODUCTION: &str = "An account has one role, and may be limited to the mail of some recipient domains and groups; docs/operating/sign-in.md says how. A token
for a program has some of the permissions of its account, and its limits. `portcullis role set` and the page *Roles* of the console
make further roles of any of these permissions.

● yes · ◐ yes, can be switched off · ○ no, can be switched on · – no.
";
