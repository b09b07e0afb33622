//! What a peer announces in its reply to EHLO (RFC 5321 section 4.1.1.1).

/// The extensions of a peer that we make use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether the peer took EHLO; if not, there is no extension.
    pub esmtp: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE was announced, so the parameter may be sent (RFC 1870).
    pub size: bool,
    /// The largest message the peer takes, in octets, if it says so.
    pub size_max: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// LIMITS RCPTMAX: recipients of one transaction (RFC 9422 section 4).
    pub recipients_max: Option<u32>,
}

impl Capabilities {
    /// Reads the lines of a positive reply to EHLO, codes removed; the first
    /// is the name of the peer.
    pub fn parse<'l>(lines: impl Iterator<Item = &'l str>) -> Self {
        let mut capabilities = Capabilities { esmtp: true, ..Capabilities::default() };
        for line in lines.skip(1) {
            capabilities.take(line);
        }
        capabilities
    }

    fn take(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "STARTTLS" => self.starttls = true,
            "CHUNKING" => self.chunking = true,
            "SIZE" => {
                self.size = true;
                // Zero means that there is no fixed limit (RFC 1870 section 4).
                self.size_max = words.next().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
            }
            "LIMITS" => {
                let maximum = words.find_map(|word| word.strip_prefix("RCPTMAX="));
                self.recipients_max = maximum.and_then(|n| n.parse().ok()).filter(|&n| n > 0);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_is_recognised() {
        let lines = "mx.example\nPIPELINING\nsize 1000\n8bitmime\nSMTPUTF8\nSTARTTLS\nCHUNKING\n\
                     LIMITS MAILMAX=5 RCPTMAX=10\nDSN\n";
        let expected = Capabilities {
            esmtp: true,
            pipelining: true,
            size: true,
            size_max: Some(1000),
            eight_bit: true,
            smtputf8: true,
            starttls: true,
            chunking: true,
            recipients_max: Some(10),
        };
        assert_eq!(Capabilities::parse(lines.lines()), expected);
    }

    #[test]
    fn the_name_is_no_extension_and_zero_is_no_limit() {
        let lines = "PIPELINING\nSIZE 0\nLIMITS RCPTMAX=many\n";
        let expected = Capabilities { esmtp: true, size: true, ..Capabilities::default() };
        assert_eq!(Capabilities::parse(lines.lines()), expected);
    }
}
