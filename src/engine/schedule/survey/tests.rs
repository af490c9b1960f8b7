use chrono::NaiveTime;
use uuid::Uuid;

use super::*;
use crate::domain::cutoff::Cutoffs;
use crate::domain::period::Months;
use crate::domain::policy::Terms;
use crate::domain::record::{Named, Record};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an RFC 3339 time")
}

const NOW: &str = "2024-04-01T12:00:00Z";

fn candidate(number: i64, zone: &str) -> Candidate {
    let zone = crate::tzdata::zone_for_tests(zone);
    let period: Period = "2024-04".parse().expect("a period");
    Candidate {
        tenant: TenantId(number),
        slug: format!("tenant-{number}"),
        due_at: due_instant(period, &zone, ScheduleHour::default()),
        zone: Ok(zone),
        period,
        period_named: false,
    }
}

/// As a claim leaves it in a zone that is not far from UTC.
fn record(period: Period, state: RunState) -> Record {
    let month = Months::try_from(1).expect("a month");
    let of_month = |period: Period| {
        let midnight = period.nominal_date().and_time(NaiveTime::MIN);
        midnight.and_utc()
    };
    let due_at = of_month(period);
    Record {
        period,
        state,
        due_at,
        version: Named::Version {
            anonymize_after: Some(month),
            retain: None,
        },
        pinned: Cutoffs {
            anonymize: Some(of_month(period.minus(month))),
            purge: None,
        },
        attempts: 1,
        started_at: Some(due_at),
        finished_at: Some(due_at),
    }
}

fn run_status(number: i64, period: &str, state: RunState) -> RunStatus {
    let period: Period = period.parse().expect("a period");
    RunStatus {
        tenant: TenantId(number),
        run_id: Uuid::nil(),
        period,
        state,
        is_of_the_future: false,
        is_pinned: false,
        record: record(period, state),
        retry_at: None,
        orphans: 0,
        finished_at: None,
        lease_expires_at: None,
    }
}

fn judged(all: Vec<Candidate>, statuses: &[RunStatus]) -> Findings {
    let policies = HashMap::new();
    let hour = ScheduleHour::default();
    judge(all, statuses, &policies, hour, at(NOW), at(NOW))
}

fn owed(findings: &Findings) -> Vec<i64> {
    findings.owed.iter().map(|found| found.tenant.0).collect()
}

#[test]
fn a_new_tenant_and_an_older_period_are_owed_and_a_done_one_is_not() {
    let all = vec![
        candidate(1, "UTC"),
        candidate(2, "UTC"),
        candidate(3, "UTC"),
    ];
    let statuses = [
        run_status(2, "2024-03", RunState::Completed),
        run_status(3, "2024-04", RunState::Completed),
    ];
    let findings = judged(all, &statuses);
    assert_eq!(owed(&findings), [1, 2]);
    assert_eq!(findings.states["pending"], 2);
    assert_eq!(findings.states["completed"], 1);
    assert_eq!(findings.completed.len(), 1);
    assert_eq!(findings.due_at, Some(at("2024-04-01T00:00:00Z")));
}

#[test]
fn s04_a_failed_run_waits_for_its_retry() {
    let mut failed = run_status(1, "2024-04", RunState::Failed);
    failed.retry_at = Some(at("2024-04-01T12:00:30Z"));
    let findings = judged(vec![candidate(1, "UTC")], &[failed.clone()]);
    assert!(findings.owed.is_empty());
    assert_eq!(findings.look_again_in, Some(TimeDelta::seconds(30)));
    assert_eq!(
        findings.oldest_unfinished,
        Some("2024-04".parse().expect("a period"))
    );
    failed.retry_at = Some(at("2024-04-01T11:59:59Z"));
    assert_eq!(owed(&judged(vec![candidate(1, "UTC")], &[failed])), [1]);
}

#[test]
fn s05_a_running_run_is_left_alone_until_its_lease_expires() {
    let mut running = run_status(1, "2024-04", RunState::Running);
    running.lease_expires_at = Some(at("2024-04-01T12:00:10Z"));
    let findings = judged(vec![candidate(1, "UTC")], &[running.clone()]);
    assert!(findings.owed.is_empty());
    assert_eq!(findings.look_again_in, Some(TimeDelta::seconds(10)));
    running.lease_expires_at = None;
    assert_eq!(owed(&judged(vec![candidate(1, "UTC")], &[running])), [1]);
}

#[test]
fn retries_and_leases_are_waited_for_by_the_databases_clock() {
    let host = at("2024-04-01T11:58:00Z");
    let hour = ScheduleHour::default();
    let policies = HashMap::new();
    let mut failed = run_status(1, "2024-04", RunState::Failed);
    // The host is two minutes behind. That very moment is still held, and must not be forgotten.
    for seconds in [0, 30] {
        failed.retry_at = Some(at(NOW) + TimeDelta::seconds(seconds));
        let all = vec![candidate(1, "UTC")];
        let findings = judge(all, &[failed.clone()], &policies, hour, host, at(NOW));
        assert!(findings.owed.is_empty());
        assert_eq!(findings.look_again_in, Some(TimeDelta::seconds(seconds)));
    }
}

#[test]
fn a_clock_that_went_back_owes_nothing() {
    let newer = run_status(1, "2024-05", RunState::Completed);
    let findings = judged(vec![candidate(1, "UTC")], &[newer]);
    assert!(findings.owed.is_empty());
    assert_eq!(findings.states["completed"], 1);
}

#[test]
fn s12_what_a_month_superseded_that_has_not_come_yet_is_owed() {
    let superseded = [run_status(1, "2024-04", RunState::Superseded)];
    let findings = judged(vec![candidate(1, "UTC")], &superseded);
    assert_eq!(owed(&findings), [1]);
    assert_eq!(findings.states["pending"], 1);
    let both = [
        run_status(1, "2024-04", RunState::Superseded),
        run_status(1, "2024-05", RunState::Completed),
    ];
    assert!(judged(vec![candidate(1, "UTC")], &both).owed.is_empty());
}

#[test]
fn s12_a_retry_or_a_lease_of_a_wrong_clock_is_not_waited_for() {
    let mut failed = run_status(1, "2024-04", RunState::Failed);
    failed.retry_at = Some(at("2038-02-01T00:01:00Z"));
    assert_eq!(owed(&judged(vec![candidate(1, "UTC")], &[failed])), [1]);
    let mut running = run_status(1, "2024-04", RunState::Running);
    running.lease_expires_at = Some(at("2038-02-01T00:01:00Z"));
    assert_eq!(owed(&judged(vec![candidate(1, "UTC")], &[running])), [1]);
}

#[test]
fn p03_no_policy_is_owed_again_once_one_was_dated_back() {
    let unruled = [run_status(1, "2024-04", RunState::NoPolicy)];
    assert!(judged(vec![candidate(1, "UTC")], &unruled).owed.is_empty());
    let version = Version {
        number: 1,
        terms: Terms::from_stored(Some(1), None, None, false).expect("valid terms"),
        effective_from: at("2024-03-01T00:00:00Z"),
        created_at: at("2024-04-01T11:00:00Z"),
        created_by: String::new(),
        reason: String::new(),
    };
    let policies = HashMap::from([(TenantId(1), vec![version])]);
    let hour = ScheduleHour::default();
    let all = vec![candidate(1, "UTC")];
    let findings = judge(all, &unruled, &policies, hour, at(NOW), at(NOW));
    assert_eq!(owed(&findings), [1]);
}

#[test]
fn the_longest_overdue_and_then_the_smallest_come_first() {
    let mut all = vec![
        candidate(1, "America/New_York"),
        candidate(2, "UTC"),
        candidate(3, "UTC"),
        candidate(4, "Pacific/Kiritimati"),
    ];
    put_in_order(
        &mut all,
        &HashMap::from([(TenantId(2), 1_000), (TenantId(3), 5)]),
    );
    let order: Vec<i64> = all.iter().map(|found| found.tenant.0).collect();
    assert_eq!(order, [4, 3, 2, 1]);
}

#[test]
fn without_anything_to_do_it_looks_again_at_the_next_due_instant() {
    let done = [
        run_status(1, "2024-04", RunState::Completed),
        run_status(2, "2024-04", RunState::Completed),
    ];
    let all = vec![candidate(1, "UTC"), candidate(2, "Pacific/Kiritimati")];
    let findings = judged(all, &done);
    assert_eq!(
        findings.look_again_in,
        Some(at("2024-04-30T10:00:00Z") - at(NOW))
    );
    assert_eq!(findings.due_at, Some(at("2024-04-01T00:00:00Z")));
}

#[test]
fn s14_a_completed_record_that_cannot_be_true_is_owed() {
    let genuine = run_status(1, "2024-04", RunState::Completed);
    assert!(
        judged(vec![candidate(1, "UTC")], std::slice::from_ref(&genuine))
            .owed
            .is_empty()
    );
    for version in [Named::None, Named::Unknown] {
        let mut forged = genuine.clone();
        forged.record.version = version;
        let findings = judged(vec![candidate(1, "UTC")], &[forged]);
        assert_eq!(owed(&findings), [1], "{version:?}");
        assert_eq!(findings.states["pending"], 1);
        assert!(findings.completed.is_empty());
    }
    let mut forged = genuine.clone();
    forged.record.pinned = Cutoffs::default();
    assert_eq!(owed(&judged(vec![candidate(1, "UTC")], &[forged])), [1]);
}

#[test]
fn s14_a_record_of_a_month_to_come_hides_nothing() {
    let mut future = run_status(1, "2099-12", RunState::Completed);
    future.is_of_the_future = true;
    let older = run_status(1, "2024-03", RunState::Completed);
    assert_eq!(
        owed(&judged(vec![candidate(1, "UTC")], &[future.clone(), older])),
        [1]
    );
    // The month that is due is due, although its record says that it is not.
    let mut now = run_status(1, "2024-04", RunState::Completed);
    now.is_of_the_future = true;
    assert!(
        judged(vec![candidate(1, "UTC")], &[future, now])
            .owed
            .is_empty()
    );
}

#[test]
fn s14_faults_are_counted_by_what_is_wrong() {
    let mut future = run_status(1, "2099-12", RunState::Completed);
    future.is_of_the_future = true;
    let mut set_aside = run_status(2, "2038-02", RunState::Pending);
    set_aside.is_of_the_future = true;
    let mut early = run_status(3, "2024-04", RunState::Completed);
    early.record.started_at = Some(at("1970-01-01T00:00:00Z"));
    let mut bare = run_status(4, "2024-04", RunState::Completed);
    bare.record.pinned = Cutoffs::default();
    let right = run_status(5, "2024-04", RunState::Completed);
    let found = faults(
        &[future, set_aside, early, bare, right],
        &HashMap::new(),
        at(NOW),
        TimeDelta::minutes(5),
    );
    let expected = [
        (Fault::FutureMonth, 1),
        (Fault::Cutoffs, 1),
        (Fault::Times, 1),
    ];
    assert_eq!(found, BTreeMap::from(expected));
}
