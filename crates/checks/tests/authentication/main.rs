//! SPF, DKIM, DMARC and ARC against a world that answers, lies or is silent.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod simulated;
