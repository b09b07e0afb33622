//! Exports over the real store in a temporary folder.
