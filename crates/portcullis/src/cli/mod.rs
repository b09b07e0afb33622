//! The command line: arguments, what is printed, and the way to the running
//! server. What a command means is the message center's business.

mod accounts;
mod arguments;
mod attempts;
mod audit;
mod auto_allow;
mod bulk;
mod config;
mod definitions;
mod dkim;
mod dns;
mod exit;
mod expecting;
mod exports;
mod geo;
mod importing;
mod letting;
mod output;
mod policies;
mod queue;
mod recipients;
mod replay;
mod reputation;
mod requests;
mod roles;
mod server;
mod state;
mod submitters;
mod views;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use arguments::{
    AccountCommand, Arguments, AuditCommand, Change, Command, ConfigCommand, DecideArguments,
    DefinitionCommand, DemoArguments, DkimCommand, DnsCommand, GeoCommand, Global, GreylistCommand,
    GroupCommand, PolicyCommand, QueueCommand, ReplayArguments, RequestsCommand, SendersCommand,
    SubmittersCommand, TokenCommand, Which,
};
pub use bulk::{BulkArguments, BulkCommand};
pub use exit::{Exit, Failure};
pub use expecting::ExpectCommand;
pub(crate) use server::SOCKET;
pub use views::ViewsCommand;

/// Runs what the process was asked for.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error).into(),
    };
    match command(&arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&failure, arguments.global.json);
            failure.exit.into()
        }
    }
}

/// Help that was asked for, or what is wrong with the command line; as JSON
/// where somebody asked for that.
fn not_understood(error: &clap::Error) -> Exit {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !wants_json {
        // Whoever reads only the beginning closes the pipe; that is no failure.
        let _ = error.print();
    } else {
        let text = error.to_string();
        let text = text.trim().trim_start_matches("error: ");
        complain(&Failure::new(Exit::Usage, text), true);
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}

fn complain(failure: &Failure, json: bool) {
    match json {
        true => output::complain_json(&failure.json()),
        false => output::complain(&failure.text),
    }
}

fn command(arguments: &Arguments) -> Result<Exit, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::CheckConfig { strict, online } => config::check(global, *strict, *online),
        Command::Serve { check_config: true } => config::check(global, false, false),
        Command::Config(command) => config::config(global, command),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "portcullis", &mut script);
            // Whoever reads only the beginning closes the pipe; that is no failure.
            let _ = std::io::Write::write_all(&mut std::io::stdout(), &script);
            Ok(Exit::Ok)
        }
        Command::Serve { check_config: false } => serve(global),
        Command::Trace { query, format: Some(format), .. } => {
            attempts::rows(global, query, *format)
        }
        Command::Trace { query, follow: true, .. } => attempts::follow(global, query),
        Command::Trace { query, limit, .. } => attempts::trace(global, query, *limit),
        Command::Export(arguments) => exports::export(global, arguments),
        Command::Why { reference } => attempts::why(global, reference),
        Command::Life { id } => attempts::life(global, id),
        Command::Queue(command) => queue::queue(global, command),
        Command::Policy(command) => policies::policy(global, command),
        Command::Definition(command) => definitions::definition(global, command),
        Command::Geo(command) => geo::geo(global, command),
        Command::Dkim(command) => dkim::dkim(global, command),
        Command::Dns(command) => dns::dns(global, command),
        Command::Replay(arguments) => replay::replay(global, arguments),
        Command::Group(command) => policies::group(global, command),
        Command::Senders(command) => policies::senders(global, command),
        Command::Recipients(command) => recipients::recipients(global, command),
        Command::Reputation(command) => reputation::reputation(global, command),
        Command::Greylist(command) => queue::greylist(global, command),
        Command::Bulk(command) => bulk::bulk(global, command),
        Command::Expect(command) => expecting::expect(global, command),
        Command::Views(command) => views::views(global, command),
        Command::Requests(command) => requests::requests(global, command),
        Command::Account(command) => accounts::account(global, command),
        Command::Role(command) => roles::role(global, command),
        Command::Submitters(command) => submitters::submitters(global, command),
        Command::Token(command) => accounts::token(global, command),
        Command::Audit(command) => audit::audit(global, command),
        Command::Status { hours: None } => state::status(global),
        Command::Status { hours: Some(hours) } => state::hours(global, *hours),
        Command::Demo(arguments) => {
            crate::demonstration::run(arguments, global.data_dir.clone())
                .map_err(|text| Failure::new(Exit::Error, text))?;
            Ok(Exit::Ok)
        }
        Command::Reload => state::reload(global),
    }
}

/// `serve`: runs until it is asked to stop.
fn serve(global: &Global) -> Result<Exit, Failure> {
    let loaded = config::load(global);
    if loaded.settings.is_none() {
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        return Err(Failure::new(Exit::Error, problems.join("\n")));
    }
    let again = {
        let global = global.clone();
        move || config::load(&global)
    };
    crate::serve::run(loaded, Box::new(again)).map_err(|text| Failure::new(Exit::Error, text))?;
    Ok(Exit::Ok)
}
