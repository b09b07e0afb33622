//! SMTP as state machines, without sockets, clock or threads.
//!
//! The server side is a [`Session`]: it is shown what the client sent, asks
//! its caller what only policy can decide, and appends the replies of the
//! protocol to a buffer. The client side is a [`ClientSession`]: it is told
//! what to deliver and reports what the peer said of it. Between them stand
//! the parts both are made of: the [`Command`] parser, the table of
//! [`replies`], the strict [`ContentReader`] and the [`ContentWriter`].
//! Beside them, [`policy_delegation`] is how a mail server that has a session of
//! its own asks about it.
//!
//! Nothing here knows a policy, a check or a store, and no reply about policy
//! is made here: those come from the caller, who takes them from the reason
//! table of `types`.

pub mod client;
pub mod command;
pub mod content_reader;
pub mod content_writer;
pub mod counts;
pub mod credentials;
pub mod parameters;
mod path;
pub mod policy_delegation;
pub mod profile;
pub mod replies;
pub mod session;

pub use client::{
    CannotSend, Capabilities, ClientError, ClientOutput, ClientSession, ClientSettings,
    ContentForm, DeliveryReport, Envelope, PeerReply,
};
pub use command::{Command, CommandError, Malformed, Unfit};
pub use content_reader::{ContentFault, ContentLimits, ContentReader, Piece};
pub use content_writer::ContentWriter;
pub use counts::{CommandCounts, ReplyClass, Verb};
pub use credentials::{Credentials, InitialResponse, Mechanism};
pub use parameters::{Body, MailParameters};
pub use profile::{SessionLimits, SessionProfile};
pub use session::{
    Answer, Awaits, End, Ends, Interruption, MailQuestion, Output, Question, Session,
};
