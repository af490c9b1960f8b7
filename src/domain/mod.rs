//! What the service decides, as pure code: it knows no database, no files, no clock.

pub mod email;
pub mod suppression;
