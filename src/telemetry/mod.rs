//! What the service tells about itself.

pub mod logs;
pub mod metrics;
pub mod stderr;
