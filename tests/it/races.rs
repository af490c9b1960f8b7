//! Writers that work on the same rows while a run does.
