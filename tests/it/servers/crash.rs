//! The server is killed in mid-run.
