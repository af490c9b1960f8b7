//! The service against an in-memory model of what it must do.
