//! The server as a whole, started and ended inside a test.

use std::path::PathBuf;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::*;
use crate::serve::gateway::Opened;
use crate::serve::{Joined, open_log};
use crate::settings::{Loaded, load_text};
use crate::telemetry::{Log, LogWriter};

/// A data folder, and the settings of a server on it that needs nobody else.
struct House {
    folder: tempfile::TempDir,
    log: Arc<Log>,
    writer: LogWriter,
}

fn loaded(folder: PathBuf) -> Loaded {
    let settings = format!(
        r#"
[server]
hostname = "mx.corp.example"
data_dir = "{folder}/data"
drain_timeout = "1s"
[[smtp.listener]]
listen = "127.0.0.1:0"
[[domain]]
name = "corp.example"
next_hop = ["127.0.0.1:9"]
[dns]
resolver = ["127.0.0.1:9"]
[http]
listen = "off"
[metrics]
listen = "off"
[store]
disk_reserve = "0B"
journal_segment_size = "4MiB"
[log]
file = "{folder}/log"
"#,
        folder = folder.display()
    );
    load_text(&folder.join("portcullis.toml"), &settings)
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(world::SystemClock::new());
        let (log, writer) = open_log(&loaded(folder.path().into()), clock).unwrap();
        House { folder, log, writer }
    }

    fn loaded(&self) -> Loaded {
        loaded(self.folder.path().into())
    }

    async fn join(&self) -> Joined {
        let settings = self.loaded().settings.unwrap();
        let opened = Opened::open(&settings).unwrap();
        Joined::join(settings, opened, Arc::clone(&self.log)).await.unwrap()
    }

    fn again(&self) -> Again {
        let folder: PathBuf = self.folder.path().into();
        Box::new(move || loaded(folder.clone()))
    }

    /// All that was logged.
    fn logged(self) -> String {
        self.writer.close();
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_delivery_breaks_stops_in_order_and_fails() {
    let house = House::new();
    let mut running = house.join().await.open().unwrap();
    running.parts.run(DELIVERY, async { panic!("the queue is not what it was") });
    let failed = running.until_stopped(house.again()).await.unwrap_err();
    assert!(failed.contains("delivery") && failed.contains("not what it was"), "{failed}");
    let logged = house.logged();
    for event in ["part_ended", "stopping", "stopped"] {
        assert!(logged.contains(event), "{event}: {logged}");
    }
}

/// What can fail is done before a server opens, so nobody may be greeted till
/// then.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_greets_nobody_before_it_is_opened() {
    let house = House::new();
    let joined = house.join().await;
    let mut client = TcpStream::connect(joined.addresses.smtp[0]).await.unwrap();
    let mut octet = [0];
    let a_while = Duration::from_millis(300);
    let greeted = tokio::time::timeout(a_while, client.read_exact(&mut octet)).await;
    assert!(greeted.is_err(), "{greeted:?}");
    let running = joined.open().unwrap();
    client.read_exact(&mut octet).await.unwrap();
    assert_eq!(&octet, b"2", "220 and so on");
    drop(client);
    running.stop_in_order().await.unwrap();
}
