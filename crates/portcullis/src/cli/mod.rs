//! The command line: arguments, what is printed, and the way to the running
//! server. What a command means is the message center's business.

mod arguments;
mod attempts;
mod config;
mod exit;
mod output;
mod policies;
mod queue;
mod server;
mod state;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use arguments::{
    Arguments, Command, ConfigCommand, DemoArguments, Global, GreylistCommand, GroupCommand,
    PolicyCommand, QueueCommand, SendersCommand, Which,
};
pub use exit::{Exit, Failure};
pub(crate) use server::SOCKET;

/// Runs what the process was asked for.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match command(&arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::complain(&failure.text);
            failure.exit.into()
        }
    }
}

fn command(arguments: &Arguments) -> Result<Exit, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::CheckConfig { strict } => config::check(global, *strict),
        Command::Serve { check_config: true } => config::check(global, false),
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
        Command::Trace { query, limit } => attempts::trace(global, query, *limit),
        Command::Why { reference } => attempts::why(global, reference),
        Command::Life { id } => attempts::life(global, id),
        Command::Queue(command) => queue::queue(global, command),
        Command::Policy(command) => policies::policy(global, command),
        Command::Group(command) => policies::group(global, command),
        Command::Senders(command) => policies::senders(global, command),
        Command::Greylist(command) => queue::greylist(global, command),
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
