//! Keyring file.
