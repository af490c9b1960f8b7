-- What PostgreSQL writes into its own log of the statements of the role that runs retentiond: no values.
--
-- `import` sends people as parameters of its statements. With log_min_duration_statement, log_statement,
-- sampling or auto_explain, the server would write them into its log in clear, some hundred a line, and no run
-- reaches a log. The owner of the tables may not set these parameters: run this as an administrator
-- (superuser), once, and again when the role was made anew:
--
--     psql -v ON_ERROR_STOP=1 -f postgres-server-log.sql 'postgres://postgres@HOST/platform'
--
-- Replace retentiond_run as in the grants. A role that logs in by itself and has the rights as a *member* of
-- retentiond_run does not inherit settings: say the same of it, and of the owner, if it imports. What holds from
-- the next connection on is shown by `retentiond run`, which logs `server_logs_people` where people are still
-- logged. Running this twice does no harm. To undo it: ALTER ROLE retentiond_run RESET ALL.
--
-- tests/it/server_logs.rs searches a real server's log.

-- The statement is still logged, with $1 in the place of each value.
ALTER ROLE retentiond_run SET log_parameter_max_length = 0;
ALTER ROLE retentiond_run SET log_parameter_max_length_on_error = 0;

-- An error without its DETAIL and CONTEXT: "Failing row contains (…)", "Key (email)=(…)", a line of the rows.
ALTER ROLE retentiond_run SET log_error_verbosity = terse;

-- A plan shows values that stand in it, and these two have no way to leave them out. A module that is not
-- loaded is not missed.
ALTER ROLE retentiond_run SET auto_explain.log_min_duration = -1;
ALTER ROLE retentiond_run SET pgaudit.log_parameter = off;
