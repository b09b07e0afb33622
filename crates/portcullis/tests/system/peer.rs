//! Other people's mail programs, each in a world of its own; see
//! `tests/interop/world.sh`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::waiting::skip;

/// How long a peer may take for one order.
const ORDER_MAX: Duration = Duration::from_secs(120);

/// The folder of layers that `./test` prepared; without it, says that `test`
/// is skipped.
pub(crate) fn layers(test: &str) -> Option<PathBuf> {
    let layers = std::env::var_os("INTEROP_LAYERS").map(PathBuf::from);
    if layers.is_none() {
        skip(test, "only ./test prepares the mail servers it needs");
    }
    layers
}

fn world(layers: &Path, layer: &str, folder: &Path) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop/world.sh");
    let mut command = Command::new(script);
    command.env("INTEROP_LAYERS", layers).arg("run").arg(layer).arg(folder);
    command
}

/// Runs a program of a layer to its end.
pub(crate) fn run(layers: &Path, layer: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    world(layers, layer, folder.path()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What Mail::DKIM says of each signature of a message; keys are asked of the
/// name server at this port.
pub(crate) fn verify_dkim(layers: &Path, content: &[u8], names_port: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter"), content).unwrap();
    let order = ["/interop/dkim.sh", "/peer/letter", names_port];
    let mut world = world(layers, "dkim", folder.path());
    let output = world.args(order).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A running mail server. It takes orders, one a line, and ends when this is
/// dropped.
pub(crate) struct Peer {
    folder: TempDir,
    world: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl Peer {
    /// Starts `tests/interop/NAME.sh` with one argument; files are what its
    /// folder contains.
    pub(crate) fn start(
        layers: &Path,
        name: &str,
        argument: &str,
        files: &[(&str, &[u8])],
    ) -> Peer {
        let folder = tempfile::Builder::new().prefix("portcullis-peer-").tempdir().unwrap();
        for (file, content) in files {
            std::fs::write(folder.path().join(file), content).unwrap();
        }
        let mut world = world(layers, name, folder.path())
            .args([format!("/interop/{name}.sh").as_str(), argument])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = world.stdin.take().unwrap();
        let output = BufReader::new(world.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let peer = Peer { folder, world, orders, answers };
        peer.done();
        peer
    }

    /// The folder it shares with us: `/peer` in its world.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives an order and waits until it is carried out.
    pub(crate) fn order(&mut self, order: &str) -> usize {
        writeln!(self.orders, "{order}").unwrap();
        self.done()
    }

    fn done(&self) -> usize {
        loop {
            let line = self.answers.recv_timeout(ORDER_MAX).expect("the peer answers");
            if let Some(count) = line.strip_prefix("done ") {
                return count.parse().unwrap();
            }
        }
    }

    /// A log in its folder.
    pub(crate) fn log(&self, name: &str) -> String {
        let read = std::fs::read(self.folder().join(name));
        String::from_utf8_lossy(&read.unwrap_or_default()).into_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["maillog", "exim-mainlog", "slapd.log"] {
                let log = self.log(name);
                let skip = log.lines().count().saturating_sub(20);
                log.lines().skip(skip).for_each(|line| println!("{line}"));
            }
        }
        // The kernel ends everything in that world with the process.
        let _ = self.world.kill();
        let _ = self.world.wait();
    }
}
