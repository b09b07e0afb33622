//! `portcullis demo`: the server with a next hop and with traffic, so that
//! there is something to see.
//!
//! The settings, directory and policies of the demo are written into its data
//! folder, so that every other command works on it with `--config`. The last
//! week is made first, by the same gateway in a simulated world; then the
//! server runs as `serve` would run it.

mod devices;
mod doors;
mod history;
mod place;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use center::accounts::Demo;
use demo::corp::Hops;
use demo::{DemoNames, LiveSettings, Messages, Sink, live};
use tokio::net::TcpListener;
use types::Caller;
use world::{Clock, SystemClock, TcpDial};

use crate::cli::DemoArguments;
use crate::serve::gateway::Opened;
use crate::serve::inspect::whole;
use crate::serve::{Addresses, Joined, open_log};
use place::Place;
pub(crate) use place::is_demo;

/// Where the demo keeps its data, unless somebody says otherwise.
const FOLDER: &str = "demo-data";

/// Runs the demo until it is asked to stop.
///
/// # Errors
/// It could not start: a sentence for whoever typed it.
pub(crate) fn run(arguments: &DemoArguments, data_dir: Option<PathBuf>) -> Result<(), String> {
    let folder = data_dir.unwrap_or_else(|| PathBuf::from(FOLDER));
    let messages = arguments.messages.as_deref().map(read_messages).transpose()?;
    let (sinks, hops) = bind_sinks()?;
    // Asked before an hour of history is made for nothing.
    can_listen(arguments.smtp)?;
    can_listen(arguments.http)?;
    let place = Place::set_up(&folder, arguments, hops)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the threads: {error}"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (log, writer) = open_log(&place.loaded(), Arc::clone(&clock))?;
    let ran = runtime.block_on(async {
        let mut opened = Opened::open(&place.settings)?;
        if opened.newest.is_none() && arguments.history > 0 {
            drop(opened);
            let wanted = history::Wanted {
                attempts: arguments.history,
                weeks: arguments.weeks,
                seed: arguments.seed,
                messages: messages.clone(),
                hops,
                now: clock.now(),
            };
            tokio::select! {
                made = history::make(&place.settings, wanted, &log) => { made?; }
                () = asked_to_stop() => return Err(cancelled(&folder)),
            }
            opened = Opened::open(&place.settings)?;
        }
        let begins = opened.newest.is_none();
        opened.world.resolver = Some(Arc::new(DemoNames));
        let serving = tokio::spawn(serve_sinks(sinks, Sink::new(Arc::clone(&opened.world.clock))));
        let clock = Arc::clone(&opened.world.clock);
        let joined = Joined::join(place.settings.clone(), opened, Arc::clone(&log)).await?;
        // While nobody is greeted: whatever fails here breaks nobody off.
        if begins {
            history::write_before(&joined.gateway, clock.now())?;
        }
        devices::know(&joined.gateway.center)?;
        let entrance = joined.gateway.accounts.demo(&Caller::with_all("demo"));
        let entrance = entrance.map_err(|error| whole(&error))?;
        let doors = doors::real(&place.settings, &joined.addresses)?;
        let running = joined.open()?;
        tell(&place, &running.addresses, &entrance, arguments);
        let settings = LiveSettings {
            doors,
            rate: arguments.rate,
            // Another week must not begin with the same letters.
            seed: arguments.seed ^ u64::try_from(clock.now().as_millis()).unwrap_or(0),
            messages,
        };
        let traffic = live(settings, Arc::new(TcpDial), clock, std::future::pending());
        let traffic = tokio::spawn(traffic);
        let again = { move || place.loaded() };
        let ended = running.until_stopped(Box::new(again)).await;
        traffic.abort();
        serving.abort();
        ended
    });
    writer.close();
    ran
}

/// Waits for Ctrl-C or for the order to end.
async fn asked_to_stop() {
    let ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let terminated = async {
        match ended {
            Ok(mut ended) => ended.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = terminated => {} }
}

/// What to know after the week was broken off: the part that was made stays,
/// and no start makes the rest of it.
fn cancelled(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "cancelled while the last week was being made; {folder} holds a part of it. The next \
         start goes on with that part; delete {folder} first to have the whole week made, or use \
         --history 0 to do without"
    )
}

fn read_messages(folder: &Path) -> Result<Arc<Messages>, String> {
    let messages = Messages::read(folder).map_err(|error| whole(&error))?;
    say(&format!("Read {} messages from {}.", messages.count(), folder.display()));
    Ok(Arc::new(messages))
}

/// An address where nothing listens: the next hop that cannot be reached.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// The sockets of the next hops: that of today, and that of old.
struct Sinks {
    sink: std::net::TcpListener,
    old: std::net::TcpListener,
}

/// Binds them to any free ports of the loopback interface.
fn bind_sinks() -> Result<(Sinks, Hops), String> {
    let bind = || {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    let failed =
        |error: std::io::Error| format!("cannot listen on the loopback interface: {error}");
    let (sink, sink_at) = bind().map_err(failed)?;
    let (old, old_at) = bind().map_err(failed)?;
    Ok((Sinks { sink, old }, Hops { sink: sink_at, old_sink: old_at, nowhere: NOWHERE }))
}

/// Tries an address out, so that one that is taken is said at once.
fn can_listen(address: SocketAddr) -> Result<(), String> {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(format!(
            "something listens on {address} already: end it, or choose another address with \
             --smtp or --http (such as --smtp 127.0.0.1:{})",
            address.port().wrapping_add(1)
        )),
        Err(error) => Err(format!("cannot listen on {address}: {error}")),
    }
}

async fn serve_sinks(sinks: Sinks, server: Sink) {
    tokio::join!(serve_sink(sinks.old, server.of_old()), serve_sink(sinks.sink, server));
}

async fn serve_sink(socket: std::net::TcpListener, sink: Sink) {
    let Ok(listener) = TcpListener::from_std(socket) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let sink = sink.clone();
                tokio::spawn(async move { sink.serve(stream).await });
            }
            // Out of files, most likely; there will be some again.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Says what runs, and how to look at it.
fn tell(place: &Place, addresses: &Addresses, entrance: &Demo, arguments: &DemoArguments) {
    let mut smtp = addresses.smtp.iter().map(ToString::to_string);
    let (smtp, submission) = (smtp.next().unwrap_or_default(), smtp.next().unwrap_or_default());
    let link = entrance.link.reveal();
    let page = addresses
        .http
        .map_or_else(|| "off".to_owned(), |at| format!("http://{at}/sign-in/link/{link}"));
    let folder = place.folder.display();
    let program = std::env::args().next().unwrap_or_else(|| "portcullis".to_owned());
    let look = format!("{program} --data-dir {folder}");
    say(&format!(
        "\nPortcullis is running.\n\n  \
         SMTP     {smtp}, and for devices with a password {submission}\n  \
         console  {page}\n           \
         (signs you in once; later: name {name}, password {password})\n  \
         data     {folder}/ (log: {folder}/portcullis.log)\n  \
         traffic  about {rate} attempts a minute from 127.8.0.0/16\n\n\
         Look at it from another terminal:\n\n  \
         {look} trace 'is:rejected'\n  \
         {look} trace 'type:greylist from:supplier.example'\n  \
         {look} why REFERENCE          (second column of trace)\n  \
         {look} status\n\n\
         Ctrl-C ends it; the next start goes on with the same data.",
        rate = arguments.rate,
        name = entrance.name,
        password = entrance.password.reveal(),
    ));
}

/// A line for whoever watches.
fn say(text: &str) {
    // Where standard output is closed there is nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
