-- The right that [engine] replica_lag_max needs on PostgreSQL, for the role that runs retentiond: to see
-- how far the standbys are behind. Without it pg_stat_replication shows that there are standbys and
-- nothing of them, runs go on whatever their lag, and the log says so (limit_not_measured).
--
-- Run this as an administrator (a superuser, or a member of pg_read_all_stats WITH ADMIN OPTION; the
-- owner of the tables is neither), once:
--
--     psql -v ON_ERROR_STOP=1 -f postgres-replica-lag.sql 'postgres://ADMINISTRATOR@HOST/platform?sslmode=verify-full'
--
-- The right shows statistics of the whole server, other roles' statements among them; pg_monitor
-- includes it. If your role has another name, replace retentiond_run.
--
-- tests/it/service/throttle runs retentiond with and without it.

GRANT pg_read_all_stats TO retentiond_run;
