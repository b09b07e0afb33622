//! The program under test: a settings file and a data folder of its own,
//! started, asked, killed and started again.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::names;
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

/// How long a start may take: debug builds on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);
/// How long an orderly end may take, beyond what its test waits for itself.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Whom the policies of every test permit: no greylisting for them.
pub(crate) const PERMITTED: &str = "ann@permitted.example";
/// A sender nobody knows.
pub(crate) const STRANGER: &str = "sue@stranger.example";
/// A recipient in the directory of corp.example.
pub(crate) const BOB: &str = "bob@corp.example";

const POLICIES: &str = r#"
[[group]]
name = "Permitted Senders"
members = ["permitted.example"]
"#;

/// A server to be started.
pub(crate) struct Gateway {
    folder: TempDir,
    program: Option<Child>,
    /// Where it takes mail.
    pub(crate) smtp: SocketAddr,
    /// Where its pages are.
    pub(crate) http: SocketAddr,
    /// Where its numbers and health are.
    pub(crate) metrics: SocketAddr,
    next_hop: SocketAddr,
    /// Tables of the settings file, after those every test has.
    settings: String,
    /// A small file system of its own for the data folder, in octets.
    disk_octets: Option<u64>,
    /// What the environment of the program has.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// What the command line answered.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Gateway {
    /// A server in front of `sink` that greylists for one second. Not started
    /// yet. `settings` are further tables of the settings file.
    pub(crate) fn before(sink: &Sink, settings: &str) -> Gateway {
        Gateway::before_address(sink.address, settings)
    }

    /// The same in front of any address.
    pub(crate) fn before_address(next_hop: SocketAddr, settings: &str) -> Gateway {
        let local = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let gateway = Gateway {
            folder: tempfile::Builder::new().prefix("portcullis-test-").tempdir().unwrap(),
            program: None,
            smtp: local(),
            http: local(),
            metrics: local(),
            next_hop,
            settings: settings.to_owned(),
            disk_octets: None,
            environment: Vec::new(),
        };
        std::fs::create_dir(gateway.data()).unwrap();
        gateway.write("policy.toml", POLICIES);
        gateway.write("recipients.txt", "bob\ncarla\n");
        gateway.write_settings("");
        gateway
    }

    /// The same, with the data folder on a small file system of its own, in
    /// memory and in a mount namespace of its own. Needs root.
    pub(crate) fn on_small_disk(mut self, octets: u64) -> Gateway {
        self.disk_octets = Some(octets);
        self
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(mut self) -> Gateway {
        self.launch();
        self
    }

    /// Starts it and waits until it greets, ready for mail or not.
    pub(crate) fn start_unready(mut self) -> Gateway {
        self.spawn();
        wait_for(START_MAX, "the server greets", || TcpStream::connect(self.smtp).ok());
        self
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The data folder as the server sees it, from outside.
    pub(crate) fn data_inside(&self) -> PathBuf {
        let pid = self.program.as_ref().unwrap().id();
        Path::new("/proc")
            .join(pid.to_string())
            .join("root")
            .join(self.data().strip_prefix("/").unwrap())
    }

    /// A path in the folder of this test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder of this test.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes the settings file anew, with more tables at its end.
    pub(crate) fn write_settings(&self, more: &str) {
        let folder = self.folder.path().display();
        let (smtp, http, metrics, next_hop) = (self.smtp, self.http, self.metrics, self.next_hop);
        let settings = &self.settings;
        // A test may bring a table of its own.
        let greylist = match settings.contains("[greylist]") {
            true => "",
            false => "[greylist]\nretry_after = \"1s\"",
        };
        let dns = match settings.contains("[dns]") {
            true => String::new(),
            false => format!("[dns]\nresolver = [\"{}\"]", names::nobody_known()),
        };
        let store = match settings.contains("[store]") {
            true => "",
            false => "[store]\ndisk_reserve = \"0B\"\njournal_segment_size = \"4MiB\"",
        };
        self.write(
            "portcullis.toml",
            &format!(
                r#"
[server]
hostname = "mx.corp.example"
data_dir = "{folder}/data"
policy_file = "{folder}/policy.toml"
drain_timeout = "5s"
[[smtp.listener]]
listen = "{smtp}"
[[domain]]
name = "corp.example"
next_hop = ["{next_hop}"]
directory_file = "{folder}/recipients.txt"
[http]
listen = "{http}"
[metrics]
listen = "{metrics}"
{greylist}
{dns}
{store}
{settings}
{more}
"#
            ),
        );
    }

    /// The program with this settings file and no other influence.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.env_clear().stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(self.path("portcullis.toml"));
        command
    }

    /// Asks the command line.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Said {
        let output = self.command().args(arguments).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asks the command line for JSON, one object a line; panics unless it
    /// answers.
    pub(crate) fn ask_json(&self, arguments: &[&str]) -> Vec<Json> {
        let said = self.ask(&[&["--json"], arguments].concat());
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All rows that a search finds.
    pub(crate) fn trace(&self, query: &str) -> Vec<Json> {
        self.ask_json(&["trace", query, "--limit", "1000000"])
    }

    /// Starts the program, again on the data it left, and waits until it is
    /// ready.
    pub(crate) fn launch(&mut self) {
        self.spawn();
        wait_for(START_MAX, "the server is ready", || {
            let ended = self.program.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server ended with {}:\n{}", ended.unwrap(), self.log());
            let (status, _) = self.get(self.metrics, "/readyz")?;
            (status == 200).then_some(())
        });
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.serve_command();
        let program = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.program = Some(program);
    }

    /// `serve`, in a mount namespace of its own where its disk is small; the
    /// shell there becomes the server, so that the process is the same.
    fn serve_command(&self) -> Command {
        let mut command = self.command();
        command.arg("serve");
        let Some(octets) = self.disk_octets else { return command };
        let mut inside = Command::new("unshare");
        inside.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").stdin(Stdio::null());
        inside.args(["--mount", "--propagation", "private", "sh", "-c"]);
        inside.arg("mount -t tmpfs -o \"size=$0\" tmpfs \"$1\" && shift && exec \"$@\"");
        inside.arg(octets.to_string()).arg(self.data());
        inside.arg(command.get_program()).args(command.get_args());
        inside
    }

    /// Ends the program at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let mut program = self.program.take().unwrap();
        program.kill().unwrap();
        program.wait().unwrap();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.program.as_ref().unwrap().id()).unwrap();
        rustix::process::kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits until the program has ended by itself.
    pub(crate) fn wait_ended(&mut self) -> ExitStatus {
        let mut program = self.program.take().unwrap();
        wait_for(STOP_MAX, "the server ends", || program.try_wait().unwrap())
    }

    /// Ends the program in order.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.wait_ended();
        assert!(status.success(), "the server ended with {status}:\n{}", self.log());
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits for a line of the log with this in its `event`.
    pub(crate) fn wait_logged(&self, event: &str) {
        let wanted = format!("\"event\":\"{event}\"");
        wait_for(STOP_MAX, &format!("{event} in the log"), || {
            self.log().contains(&wanted).then_some(())
        });
    }

    /// Asks one of the HTTP doors; nothing where nobody answers.
    pub(crate) fn get(&self, door: SocketAddr, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(door).ok()?;
        stream.set_read_timeout(Some(START_MAX)).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {door}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// Waits until nothing is left in the queue.
    pub(crate) fn wait_queue_empty(&self, limit: Duration) {
        wait_for(limit, "the queue is empty", || {
            self.ask_json(&["queue", "list"]).is_empty().then_some(())
        });
    }

    /// Waits until nothing is open, then checks that every attempt that was
    /// opened since the start has its event.
    pub(crate) fn audit_conservation(&self) {
        let conservation = wait_for(STOP_MAX, "all sessions and attempts end", || {
            let status = self.ask_json(&["status"]).remove(0);
            let sum = status["conservation"].clone();
            (sum["sessions_open"] == 0 && sum["attempts_open"] == 0).then_some(sum)
        });
        assert_eq!(conservation["difference"], 0, "{conservation:#}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program {
            let _ = program.kill();
            let _ = program.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let skip = log.lines().count().saturating_sub(20);
            let tail: Vec<&str> = log.lines().skip(skip).collect();
            println!("the end of the server's log:\n{}", tail.join("\n"));
        }
    }
}
