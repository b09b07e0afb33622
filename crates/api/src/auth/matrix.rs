//! The authorization matrix: every route, and which role may ask for it,
//! written out so that a change of either can be read in a review.
//!
//! `matrix.txt` is made from the router, the table of routes and the table of
//! roles; `UPDATE=1` writes it anew. The tests over HTTP
//! (`tests/gateway/matrix.rs`) ask every route as every role and compare.

use types::{Caller, Role, Sight};

use super::access::{Access, ROUTES, Route};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/auth/matrix.txt");

const HEAD: &str = "\
# Who may ask for which route. Made from the router, auth/access.rs and types/role.rs:
#     UPDATE=1 cargo test -p api matrix
# Columns: visitor (nobody is signed in), then each role; + may ask, - is refused.
# The columns behind the bar are the same roles limited to some domains or groups.
";

#[test]
fn the_matrix_is_what_the_tables_say() {
    let told = text();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, &told).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    for (kept, told) in kept.lines().zip(told.lines()) {
        assert_eq!(kept, told, "UPDATE=1 writes the matrix anew; read the difference");
    }
    assert_eq!(kept, told, "a route is new or gone: UPDATE=1 writes the matrix anew");
}

fn text() -> String {
    let width = ROUTES.iter().map(|route| route.path.len()).max().unwrap_or(0);
    let names: Vec<&str> = Role::ALL.iter().map(|role| role.slug()).collect();
    let mut text = format!("{HEAD}# Roles: visitor {} | {}\n", names.join(" "), names.join(" "));
    for route in ROUTES {
        let limited = Sight::of(vec!["corp.example".parse().unwrap()]).unwrap();
        let signs = |sight: &Sight| -> String {
            let sign = |role: &Role| sign(route, *role, sight.clone());
            Role::ALL.iter().map(sign).collect::<Vec<_>>().join(" ")
        };
        let visitor = match route.access {
            Access::Public | Access::Entrance => "+",
            _ => "-",
        };
        let line = format!(
            "{:6} {:width$}  {visitor}  {} | {}  {}",
            route.method.as_str(),
            route.path,
            signs(&Sight::Everything),
            signs(&limited),
            needs(route.access)
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn sign(route: &Route, role: Role, sight: Sight) -> &'static str {
    let caller = Caller::new("somebody", role.permissions()).seeing(sight);
    let needed = route.access.permissions();
    match needed.is_empty() || needed.iter().any(|permission| caller.may(*permission)) {
        true => "+",
        false => "-",
    }
}

fn needs(access: Access) -> String {
    match access {
        Access::Public => "public".to_owned(),
        Access::Entrance => "entrance".to_owned(),
        Access::SignedIn => "signed in".to_owned(),
        Access::Needs(_) | Access::NeedsAny(_) => {
            let slugs: Vec<&str> = access.permissions().iter().map(|one| one.slug()).collect();
            slugs.join(" or ")
        }
    }
}
