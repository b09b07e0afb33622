//! The command `portcullis`.

fn main() -> std::process::ExitCode {
    portcullis::cli::run()
}
