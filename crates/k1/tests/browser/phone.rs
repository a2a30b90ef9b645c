//! A phone's way.
