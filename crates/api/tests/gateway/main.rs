//! The HTTP side as a whole: doors, pages, API and client.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod auto_allow;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod console;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod exporting;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod hostile_service;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod signing_in;
#[cfg(test)]
mod strangers;
