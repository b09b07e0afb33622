//! What managed senders cost: importing, loading all at start, adding one,
//! and searching, over `ENTRIES` of them (first argument, 1,000,000).
//!
//! `cargo run --release -p store --example sender_cost -- 1000000`

use std::error::Error;
use std::time::Instant;

use store::state::{
    Authorship, Edit, Object, PolicyDocument, PolicyState, SenderQuery, SqliteState,
};
use types::lists::{ManagedSender, SenderAction};
use types::{Actor, Timestamp};

#[expect(clippy::print_stdout, reason = "its output is its purpose")]
fn say(text: &str) {
    println!("{text}");
}

fn entry(number: u64) -> Result<ManagedSender, Box<dyn Error>> {
    Ok(ManagedSender {
        id: None,
        sender: format!("user{number}@sender{}.example", number % 5_000).parse()?,
        recipient: format!("anna{}@corp.example", number % 20_000).parse()?,
        action: SenderAction::Permit,
        authenticated_only: false,
        note: String::new(),
        created_by: "import".into(),
        created: Timestamp::from_millis(1),
        created_from: None,
        valid_until: None,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let entries: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let state = SqliteState::open(&folder.path().join("state.db"))?;
    let at = Timestamp::from_millis(1);
    let who =
        Authorship { actor: Actor::machine("bench"), note: String::new(), at, expected: None };
    let senders: Result<Vec<_>, _> = (0..entries).map(entry).collect();
    let document = PolicyDocument { senders: senders?, ..PolicyDocument::default() };
    timed("import", || Ok(state.import(&who, document)?.differences.len()))?;
    timed("load all", || {
        let mut count = 0;
        state.read(&mut |_| count += 1)?;
        Ok(count)
    })?;
    for run in 0..3 {
        let new = Edit::Put(Object::Sender(entry(entries + run)?));
        timed("add one", || Ok(state.change(&who, vec![new])?.differences.len()))?;
    }
    let recipient = Some("anna77@corp.example".to_owned());
    let of_one = SenderQuery { recipient, ..SenderQuery::default() };
    timed("of one recipient", || Ok(state.senders(&of_one, None, 100)?.len()))?;
    let text = Some("user777777@".to_owned());
    let by_text = SenderQuery { text, ..SenderQuery::default() };
    timed("by text", || Ok(state.senders(&by_text, None, 100)?.len()))
}

fn timed(
    name: &str,
    run: impl FnOnce() -> Result<usize, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let before = Instant::now();
    let found = run()?;
    say(&format!("{name}: {:.2} ms, {found}", before.elapsed().as_secs_f64() * 1e3));
    Ok(())
}
