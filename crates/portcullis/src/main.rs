//! The command `portcullis`.

/// Sessions allocate and free small things at a high rate; the measured
/// difference is in docs/decisions/dependencies.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    portcullis::cli::run()
}
