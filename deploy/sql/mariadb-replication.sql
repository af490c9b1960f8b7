-- The right by which retentiond sees on MariaDB whether the server is itself a replica of another: what is
-- deleted there stays at its source, so it refuses such a server. Without this right it notices a replica whose
-- replication runs, and none that was stopped, and a warning says so at its start (replication_unseen).
--
-- It is a right of the whole server: run this as an administrator, once:
--
--     mariadb < mariadb-replication.sql
--
-- The user must exist. If yours has another name or host than retentiond_run@'%', replace that.
--
-- tests/it/least_privilege.rs and tests/it/primary.rs run retentiond with it and without.

GRANT SLAVE MONITOR ON *.* TO retentiond_run@'%';
