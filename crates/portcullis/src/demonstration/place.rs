//! The demo's folder: settings, directory and policies as files, written anew
//! at each start.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use demo::corp::{self, Hops};

use receive::TlsFiles;

use crate::cli::DemoArguments;
use crate::serve::inspect::whole;
use crate::settings::{self, Loaded, Settings, Sources};

/// The settings, in the folder.
const SETTINGS_FILE: &str = "portcullis.toml";

/// The first line of the settings, by which a folder of a demo is known.
const WRITTEN: &str = "# Written by `portcullis demo` at each start; changes are lost.";

/// Whether a data folder is one of a demo, whose names are made up.
pub(crate) fn is_demo(data_dir: &Path) -> bool {
    let settings = fs::read_to_string(data_dir.join(SETTINGS_FILE));
    settings.is_ok_and(|text| text.lines().next() == Some(WRITTEN))
}

/// The list of addresses, in the folder.
const ADDRESS_LIST_FILE: &str = "addresses.txt";

/// Where the certificate is, in the folder.
const TLS_FOLDER: &str = "tls";

/// Where `portcullis geo import` would put the map of places.
const PLACE_MAP_FILE: &str = "geo/places.map";

/// The folder, ready to be used.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
    file: PathBuf,
}

impl Place {
    /// Writes the files; `hops` are the next hops.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn set_up(
        folder: &Path,
        arguments: &DemoArguments,
        hops: Hops,
    ) -> Result<Place, String> {
        let failed = |error| format!("cannot write {}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let file = folder.join(SETTINGS_FILE);
        let recipients = folder.join("recipients.txt");
        let policies = folder.join("policies.toml");
        let tls = receive::self_signed(&folder.join(TLS_FOLDER), corp::HOST_NAME);
        let tls = tls.map_err(|error| whole(&error))?;
        let files =
            Files { folder: &folder, recipients: &recipients, policies: &policies, tls: &tls };
        let text = settings_text(&files, arguments, hops);
        fs::write(&recipients, corp::directory()).map_err(failed)?;
        fs::write(&policies, corp::POLICIES).map_err(failed)?;
        fs::create_dir_all(folder.join("geo")).map_err(failed)?;
        fs::write(folder.join(PLACE_MAP_FILE), demo::places::map()).map_err(failed)?;
        fs::write(folder.join(ADDRESS_LIST_FILE), demo::listed::address_list()).map_err(failed)?;
        fs::write(&file, text).map_err(failed)?;
        let loaded = load(&file);
        let Some(settings) = loaded.settings else {
            let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
            return Err(problems.join("\n"));
        };
        Ok(Place { folder, settings, file })
    }

    /// Reads the settings again.
    pub(super) fn loaded(&self) -> Loaded {
        load(&self.file)
    }
}

/// Only the file counts: a variable meant for a server would surprise here.
fn load(file: &Path) -> Loaded {
    let file = Some(file.to_owned());
    settings::load(&Sources { file, ..Sources::default() })
}

/// Where a browser on this machine reaches the pages; nothing for a port that
/// is chosen only when it is bound.
fn public_url(http: SocketAddr) -> Option<String> {
    let ip = match http.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (http.port() != 0).then(|| format!("http://{}", SocketAddr::new(ip, http.port())))
}

/// What the settings name.
struct Files<'f> {
    folder: &'f Path,
    recipients: &'f Path,
    policies: &'f Path,
    tls: &'f TlsFiles,
}

fn settings_text(files: &Files<'_>, arguments: &DemoArguments, hops: Hops) -> String {
    let Files { folder, recipients, policies, tls } = files;
    let domains = corp::domain_settings(hops, &recipients.to_string_lossy());
    let DemoArguments { smtp, http, .. } = arguments;
    let public_url =
        public_url(*http).map_or(String::new(), |url| format!("public_url = {url:?}\n"));
    format!(
        "{WRITTEN}\n\n\
         [server]\n\
         hostname = \"{host_name}\"\n\
         data_dir = {folder:?}\n\
         policy_file = {policies:?}\n\
         # Replies end with the address of the page that explains them.\n\
         {public_url}\
         drain_timeout = \"2s\"\n\n\
         [smtp]\n\
         # Catches clients that speak first.\n\
         greeting_delay = \"200ms\"\n\
         # So that it is seen what happens to clients that try names out.\n\
         unknown_recipients_per_client_max = {unknown}\n\
         # And to clients that fall silent.\n\
         idle_timeout = \"1m\"\n\n\
         [smtp.tls]\n\
         certificate_file = {certificate:?}\n\
         key_file = {key:?}\n\n\
         [[smtp.listener]]\n\
         listen = \"{smtp}\"\n\
         # A balancer names its clients.\n\
         proxy_protocol_from = {balancers:?}\n\n\
         [[smtp.listener]]\n\
         # Devices send with a name and password, at any free port.\n\
         listen = \"{submission}\"\n\
         role = \"outbound\"\n\
         auth = true\n\n\
         [[policy_service]]\n\
         # A mail server that has stayed an MX asks.\n\
         listen = \"127.0.0.1:0\"\n\n\
         [http]\n\
         listen = \"{http}\"\n\n\
         [metrics]\n\
         listen = \"off\"\n\n\
         [alerts]\n\
         # Programs on this machine may be told.\n\
         webhook_inward = [\"127.0.0.0/8\"]\n\n\
         [delivery]\n\
         # The demo's next hop takes all the rest too: nothing leaves the machine.\n\
         outbound_hop = [\"{sink}\"]\n\
         bounce_hop = [\"{sink}\"]\n\n\
         [log]\n\
         file = {log:?}\n\n\
         [[list]]\n\
         name = \"{list}\"\n\
         file = {list_file:?}\n\
         format = \"ip4set\"\n\n\
         {domains}",
        host_name = corp::HOST_NAME,
        certificate = tls.certificate,
        key = tls.key,
        balancers = corp::balancers(),
        submission = SocketAddr::new(smtp.ip(), 0),
        sink = hops.sink,
        unknown = corp::UNKNOWN_RECIPIENTS_MAX,
        list = demo::listed::ADDRESS_LIST,
        list_file = folder.join(ADDRESS_LIST_FILE),
        log = folder.join("portcullis.log"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_the_demo_lead_to_a_page_that_a_browser_here_can_open() {
        for (http, url) in [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("0.0.0.0:8080", Some("http://127.0.0.1:8080")),
            ("[::]:8080", Some("http://[::1]:8080")),
            ("127.0.0.1:0", None),
        ] {
            assert_eq!(public_url(http.parse().unwrap()).as_deref(), url, "{http}");
        }
    }
}
