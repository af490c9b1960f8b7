-- The right that [engine] replica_lag_max needs on MariaDB: to ask a replica how far it is behind. For
-- a user of its own, which [database] replica_urls names
-- (mysql://retentiond_lag:PASSWORD@REPLICA:3306/?ssl-mode=VERIFY_IDENTITY, without a database) and which
-- may do nothing else.
--
-- Run this as an administrator on the primary, from where it comes to the replicas (or on each replica,
-- if accounts are not replicated), once:
--
--     mariadb < mariadb-replica-lag.sql
--
-- The user must exist: CREATE USER retentiond_lag@'%' IDENTIFIED BY '…'. If yours has another name or
-- host, replace retentiond_lag@'%'.
--
-- tests/it/service/throttle runs retentiond with it.

GRANT SLAVE MONITOR ON *.* TO retentiond_lag@'%';
