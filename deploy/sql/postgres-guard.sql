-- An optional second lock on PostgreSQL: whatever statement the run-time role sends, nobody is erased
-- who is younger than the cutoff of a running run.
--
-- retentiond repeats its whole predicate in every statement that erases. This guard holds even if a
-- statement comes without the predicate: from a defect, from a person at the role's prompt, or from
-- a thief of the role's password.
--
--   * DELETE on participant reaches only people added before the deletion cutoff of a run of their
--     tenant in state `running`; it does not see others (row-level security).
--   * UPDATE of a personal field reaches only people added before the anonymization cutoff of such a
--     run. If other people are among its rows, a trigger refuses the whole statement, because
--     row-level security cannot tell which columns change, and `unsubscribe` must mark younger people.
--   * The guard does not believe the run's cutoffs, because the role writes them itself. They count
--     only as far as the calendar allows: the first of the run's month, which must have come, less
--     the months of the pinned policy version, which the role cannot change and the table's CHECKs
--     limit. The tenant's time zone is left out: that day must have begun everywhere, so the limit
--     lies up to 26 hours after the true cutoff.
--
-- So whatever this role writes into its records or adds as a policy, it anonymizes nobody before a
-- month has passed since they were added, and deletes nobody before a year has, less those 26 hours.
-- The guard binds retentiond_run and every role that is a member of it, so make neither the owner nor
-- the platform a member. Everybody else (the platform, the owner) works as before, and so do all
-- commands of retentiond. PostgreSQL makes two exceptions for tables with row-level security and
-- roles that are neither owner nor BYPASSRLS: COPY participant FROM is refused (insert instead), and
-- pg_dump stops (give the role that dumps BYPASSRLS, or dump as the owner). Prepare the dump before
-- you install this.
--
-- Run this as the owner of the tables, after postgres-grants.sql:
--
--     psql -v ON_ERROR_STOP=1 --single-transaction -f postgres-guard.sql 'postgres://retentiond_owner@HOST/platform?sslmode=verify-full'
--
-- Running it twice does no harm. Replace retentiond_run and public throughout, as in the grants. The
-- guard does not bind a superuser, a role with BYPASSRLS, or the owner, so retentiond must not run as
-- one of them. To remove it: drop the trigger and the two policies, and
-- ALTER TABLE public.participant DISABLE ROW LEVEL SECURITY.
--
-- tests/it/least_privilege/guard.rs attacks it, and runs every command under it.

-- For the names in the conditions below, which are looked up now and for good.
SET search_path = pg_catalog, pg_temp;

ALTER TABLE public.participant ENABLE ROW LEVEL SECURITY;

-- With row-level security on, whom no policy admits sees nothing: this one admits everybody to
-- whatever their grants allow, as before.
DROP POLICY IF EXISTS retentiond_guard_admits ON public.participant;
CREATE POLICY retentiond_guard_admits ON public.participant USING (true) WITH CHECK (true);

-- And this one takes away again, from one role and one kind of statement.
DROP POLICY IF EXISTS retentiond_guard_delete ON public.participant;
CREATE POLICY retentiond_guard_delete ON public.participant AS RESTRICTIVE FOR DELETE TO retentiond_run
    USING (EXISTS (
        SELECT 1
        FROM public.tenant_run
        JOIN public.policy ON policy.tenant_id = tenant_run.tenant_id
            AND policy.version = tenant_run.policy_version
        WHERE tenant_run.tenant_id = participant.tenant_id
            AND tenant_run.state = 'running'
            -- The month begins 14 hours early in the east, and a day ends 12 hours late in the west.
            AND (tenant_run.period || '-01')::timestamp AT TIME ZONE 'UTC' <= now() + interval '14 hours'
            AND participant.added_at < tenant_run.purge_cutoff
            AND participant.added_at < ((tenant_run.period || '-01')::timestamp
                - make_interval(months => policy.retain_months)) AT TIME ZONE 'UTC' + interval '12 hours'
    ));

-- Names carry their schema: otherwise a temporary table could replace one of these. Operators and
-- functions are PostgreSQL's own: otherwise a role that may create in a schema of the search path
-- could add a `<` that is always true.
CREATE OR REPLACE FUNCTION public.retentiond_guard_fields() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM public.tenant_run
        JOIN public.policy ON policy.tenant_id = tenant_run.tenant_id
            AND policy.version = tenant_run.policy_version
        WHERE tenant_run.tenant_id = OLD.tenant_id
            AND tenant_run.state = 'running'
            AND (tenant_run.period || '-01')::timestamp AT TIME ZONE 'UTC' <= now() + interval '14 hours'
            AND OLD.added_at < tenant_run.anonymize_cutoff
            AND OLD.added_at < ((tenant_run.period || '-01')::timestamp
                - make_interval(months => policy.anonymize_after_months)) AT TIME ZONE 'UTC' + interval '12 hours'
    ) THEN
        RETURN NEW;
    END IF;
    -- A superuser passes for a member of every role, and is not bound by row-level security either.
    IF (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'retentiond guard: permission denied to change personal fields before their cutoff'
        USING ERRCODE = 'insufficient_privilege';
END
$guard$;

DROP TRIGGER IF EXISTS retentiond_guard_fields ON public.participant;
CREATE TRIGGER retentiond_guard_fields
    BEFORE UPDATE OF first_name, last_name, email, phone, customer_id, anonymized_at ON public.participant
    -- Also for a role that is a member of retentiond_run, and has its rights. (If that role no longer
    -- exists, to_regrole is NULL, and the trigger binds no role.)
    FOR EACH ROW WHEN (pg_has_role(current_user, to_regrole('retentiond_run')::oid, 'USAGE'))
    EXECUTE FUNCTION public.retentiond_guard_fields();

RESET search_path;
