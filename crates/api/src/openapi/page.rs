//! The document for people: one page, made on the server.
