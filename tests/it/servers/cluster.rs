//! Three Galera nodes.
