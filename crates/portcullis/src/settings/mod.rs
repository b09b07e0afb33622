//! The settings: one table ([`table`]) from which the file, the environment,
//! the reference page, the schema and the example come.
//!
//! A value comes from (the last wins) its default, the main file, the files
//! of `conf.d` in name order, the environment, the command line; where it came
//! from is kept, so that every error and `config show --origin` can name it.

mod check;
mod directories;
mod entering;
pub mod environment;
mod file;
mod host_name;
pub mod kinds;
mod load;
pub mod migrate;
pub mod presets;
mod read;
pub mod reference;
mod row;
pub mod schema;
mod selecting;
pub mod show;
pub mod suggest;
mod table;
pub mod value;

pub use check::recipients_of;
pub use directories::{DirectoryName, EntryName};
pub use entering::{SecretText, WebAddress, Words};
pub use host_name::HostName;
pub use load::{DEFAULT_FILE, Loaded, Sources, data_folder, load, load_text, read_anything};
pub use read::{Found, FoundValues, Numbered, Origin, Problem, Severity};
pub use row::{Row, SectionRows};
pub use table::{
    CallForwardSettings, DeliverySettings, DirectorySettings, DnsSettings, DomainSettings,
    FileSettings, GeoSettings, GreylistSettings, HttpSettings, ListTableSettings, ListenerSettings,
    LogSettings, MetricsSettings, PolicyServiceSettings, ReputationSettings, RetentionSettings,
    ServerSettings, Settings, SignInGroupSettings, SignInSettings, SmtpSettings, SmtpTlsSettings,
    StoreSettings,
};
