//! Visits to the outbound listener: devices that prove who they are and send
//! to the world, and whoever has found out that it is there.

use std::io;

use crate::conversation::{Left, Visitor};
use crate::letter::base64;
use crate::traffic::{Mail, add};
use crate::wire::Wire;

/// How somebody submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Submitting {
    /// A device, as itself.
    AsItself,
    /// A device whose sender somebody has changed.
    AsAnother,
    /// A program that nobody gave a name and password.
    WithoutPassword,
    /// Somebody who guesses.
    Guesses,
}

/// One visit to the outbound listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submission {
    pub(crate) how: Submitting,
    /// What is said, by those who say a name.
    pub(crate) name: String,
    /// The password of that name, for those who know it.
    pub(crate) password: &'static str,
    pub(crate) mail: Mail,
}

/// What is guessed: the gateway closes with the third that is wrong.
const GUESSES: &[&str] = &["printer123456", "password1234", "letmein-please"];

impl Visitor<'_> {
    /// Inside TLS, whoever it is: outside no password is taken.
    pub(crate) async fn submit(&self, submission: &Submission) -> io::Result<Left> {
        let mut wire = self.connect(self.venue.doors.submission).await?;
        wire.reply().await?;
        let hello = format!("EHLO {}", self.errand.helo);
        wire.ask(&hello).await?;
        if wire.ask("STARTTLS").await? != 220 {
            wire.ask("QUIT").await?;
            return Ok(None);
        }
        wire.start_tls(&self.venue.doors.tls).await?;
        wire.ask(&hello).await?;
        match submission.how {
            Submitting::Guesses => {
                add(&self.venue.counters.attempts, 1);
                self.guess(&mut wire, &submission.name).await?;
                return Ok(None);
            }
            Submitting::WithoutPassword => {}
            Submitting::AsItself | Submitting::AsAnother => {
                let code = wire.ask(&plain(&submission.name, submission.password)).await?;
                if code != 235 {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
            }
        }
        self.hand_over(&mut wire, &submission.mail).await?;
        wire.ask("QUIT").await?;
        Ok(None)
    }

    /// Says passwords until it is thrown out.
    async fn guess(&self, wire: &mut Wire, name: &str) -> io::Result<()> {
        for password in GUESSES {
            if wire.ask(&plain(name, password)).await? == 421 {
                return Ok(());
            }
        }
        wire.ask("QUIT").await?;
        Ok(())
    }

    /// One message in bare lines.
    async fn hand_over(&self, wire: &mut Wire, mail: &Mail) -> io::Result<()> {
        let counters = &self.venue.counters;
        wire.ask(&format!("MAIL FROM:{}", mail.reverse_path)).await?;
        let mut taken = 0;
        for recipient in &mail.recipients {
            add(&counters.attempts, 1);
            match wire.ask(&format!("RCPT TO:{recipient}")).await? {
                250 => taken += 1,
                _ => add(&counters.refused, 1),
            }
        }
        if taken > 0 && wire.ask("DATA").await? == 354 {
            wire.content(&mail.content.write(self.venue.clock.now())).await?;
            let counter = match wire.reply().await? {
                250 => &counters.accepted,
                _ => &counters.deferred,
            };
            add(counter, taken);
        }
        Ok(())
    }
}

/// The command with its response at once (RFC 4616).
fn plain(name: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", base64(format!("\0{name}\0{password}").as_bytes()))
}
