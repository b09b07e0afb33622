//! The public suites of RFC 7208 (openspf.org, release 2014.04) and of ARC
//! (ValiMail). They are no part of this repository; where they are absent the
//! tests say so in a sentence and pass.

#[cfg(test)]
mod arc;
#[cfg(test)]
mod spf;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod zone;
