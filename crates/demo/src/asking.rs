//! A mail server of the organisation that has stayed an MX itself, and asks
//! the gateway about each recipient as Postfix does (`check_policy_service`).

use std::fmt::Write;
use std::io;

use types::ForwardPath;

use crate::conversation::{Left, Visitor};
use crate::errand::Act;
use crate::names::confirmed_name;
use crate::traffic::{Mail, add};

impl Visitor<'_> {
    /// Asks about the recipients of a mail that a client has offered to the
    /// server; who is put off comes back to the server.
    pub(crate) async fn ask_policy(&self, mail: &Mail) -> io::Result<Left> {
        let counters = &self.venue.counters;
        let mut wire = self.connect(self.venue.doors.policy_service).await?;
        let mut again = Vec::new();
        for recipient in &mail.recipients {
            add(&counters.attempts, 1);
            wire.write(self.request(mail, recipient).as_bytes()).await?;
            let advice = wire.paragraph().await?;
            let counter = match advice.strip_prefix("action=") {
                Some(action) if action.starts_with("DUNNO") => &counters.accepted,
                Some(action) if action.starts_with("DEFER") => {
                    again.push(recipient.clone());
                    &counters.deferred
                }
                Some(_) => &counters.refused,
                None => return Err(io::ErrorKind::InvalidData.into()),
            };
            add(counter, 1);
        }
        Ok((!again.is_empty()).then(|| Act::AskPolicy(Mail { recipients: again, ..mail.clone() })))
    }

    /// The attributes that are looked at, of those that Postfix sends.
    fn request(&self, mail: &Mail, recipient: &ForwardPath) -> String {
        let origin = self.turn.origin;
        let client = origin.address(self.venue.side);
        let name = confirmed_name(origin).unwrap_or_else(|| "unknown".to_owned());
        let mut text = String::from("request=smtpd_access_policy\nprotocol_state=RCPT\n");
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "protocol_name=ESMTP\ninstance={instance:x}\nclient_address={client}\n\
             client_name={name}\nhelo_name={helo}\nsender={sender}\nrecipient={recipient}\n\n",
            instance = self.venue.clock.now().as_millis(),
            helo = self.errand.helo,
            sender = mail.reverse_path.as_str(),
            recipient = recipient.as_str(),
        );
        text
    }
}
