//! HTTP/1.1 for a lamp, without I/O: bytes in, bytes out, in buffers of the caller.
//!
//! | Module | What it does |
//! |---|---|
//! | [`head`] | the head of a request, parsed (`httparse`) and checked |
//! | [`body`] | takes a body in, whole or in chunks, and forgets what is too much |
//! | [`respond`] | who may ask, which path, which answer |
//!
//! The program uses a full server (axum); one test suite asks both.

pub mod body;
pub mod head;
pub mod respond;
