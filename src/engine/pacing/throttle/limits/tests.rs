use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn reason(pressure: Option<Pressure>) -> Option<Reason> {
    pressure.map(|pressure| pressure.reason)
}

#[test]
fn without_a_limit_nothing_measured_keeps_anybody() {
    let mut judge = Judge::new(Limits::default());
    let reading = Reading {
        latency: Some(SECOND * 60),
        wal_bytes: Some(u64::MAX),
        replicas: vec![ReplicaLag::Time(SECOND * 3600)],
        unknown: Vec::new(),
    };
    let now = Instant::now();
    assert_eq!(judge.judge(now, &reading), None);
    assert_eq!(judge.judge(now + SECOND, &reading), None);
}

#[test]
fn a_limit_that_was_passed_is_kept_to_again_only_well_below_it() {
    let mut judge = Judge::new(Limits {
        latency_max: Some(milliseconds(100)),
        ..Limits::default()
    });
    let mut verdicts = Vec::new();
    for latency in [99, 100, 101, 99, 81, 80, 99, 500] {
        let reading = Reading {
            latency: Some(milliseconds(latency)),
            ..Reading::default()
        };
        let pressure = judge.judge(Instant::now(), &reading);
        verdicts.push(pressure.is_some());
        if let Some(pressure) = pressure {
            assert_eq!(pressure.reason, Reason::Latency);
            assert_eq!(pressure.limit, 0.1);
            assert_eq!(pressure.measured, milliseconds(latency).as_secs_f64());
        }
    }
    assert_eq!(
        verdicts,
        [false, false, true, true, true, false, false, true]
    );
    // What is not known keeps nobody.
    assert_eq!(judge.judge(Instant::now(), &Reading::default()), None);
}

#[test]
fn the_slowest_replica_counts() {
    let mut judge = Judge::new(Limits {
        replica_lag_max: Some(SECOND * 10),
        ..Limits::default()
    });
    let mut judged = |lags: &[u64]| {
        let reading = Reading {
            replicas: lags
                .iter()
                .map(|lag| ReplicaLag::Time(SECOND * u32::try_from(*lag).unwrap()))
                .collect(),
            ..Reading::default()
        };
        judge.judge(Instant::now(), &reading)
    };
    assert_eq!(judged(&[0, 10, 3]), None);
    let pressure = judged(&[0, 11, 3]).expect("a pause");
    assert_eq!(
        (pressure.reason, pressure.measured, pressure.limit),
        (Reason::ReplicaLag, 11.0, 10.0)
    );
    assert_eq!(reason(judged(&[9])), Some(Reason::ReplicaLag));
    assert_eq!(judged(&[]), None, "a replica that is gone keeps nobody");
}

#[test]
fn a_standby_that_replays_nothing_is_behind_since_what_it_lacks_was_written() {
    let mut positions = Positions::default();
    let start = Instant::now();
    let mut lag = |second: u32, written: u64, replayed: u64, told: Option<Duration>| {
        let replicas = [ReplicaLag::Position(replayed, told)];
        let lag = positions.lag(start + SECOND * second, Some(written), &replicas);
        lag.expect("a standby")
    };
    assert_eq!(lag(0, 100, 100, None), Duration::ZERO);
    // Written in this very second.
    assert_eq!(lag(1, 200, 100, Some(milliseconds(2))), milliseconds(2));
    // It stands still from now on, and what PostgreSQL tells stands still with it.
    assert_eq!(lag(5, 300, 100, Some(milliseconds(2))), SECOND * 4);
    assert_eq!(lag(60, 400, 100, None), SECOND * 59);
    // It replays, and lacks what was written after second 1.
    assert_eq!(lag(61, 400, 250, Some(SECOND * 30)), SECOND * 56);
    // What was replayed last was old.
    assert_eq!(lag(62, 500, 499, Some(SECOND * 58)), SECOND * 58);
    // And is of no interest when nothing is missing.
    assert_eq!(lag(63, 500, 500, Some(SECOND * 58)), Duration::ZERO);
    // Another server took over; its log is shorter.
    assert_eq!(lag(64, 50, 40, None), Duration::ZERO);
    assert_eq!(lag(66, 50, 40, None), SECOND * 2);
}

#[test]
fn positions_that_are_remembered_do_not_grow_without_end() {
    let mut positions = Positions::default();
    let start = Instant::now();
    for second in 0..10_000 {
        let written = u64::from(second) + 1;
        let replicas = [ReplicaLag::Position(0, None)];
        let now = start + SECOND * second;
        assert_eq!(
            positions.lag(now, Some(written), &replicas),
            Some(SECOND * second)
        );
    }
    assert_eq!(positions.seen.len(), POSITIONS_MAX);
    let replicas = [ReplicaLag::Position(20_000, None)];
    positions.lag(start + SECOND * 10_000, Some(20_000), &replicas);
    assert!(positions.seen.is_empty());
}

/// Somebody who writes `speed` bytes a second whenever allowed to, looked at every second, and others
/// who write all the time. Returns bytes a second in all.
fn rate_of(speed: u64, others: u64, limit: u64) -> f64 {
    const SECONDS: u32 = 600;
    let mut judge = Judge::new(Limits {
        wal_bytes_per_second_max: Some(limit),
        ..Limits::default()
    });
    let (start, mut bytes) = (Instant::now(), 0);
    for second in 0..SECONDS {
        let reading = Reading {
            wal_bytes: Some(bytes),
            ..Reading::default()
        };
        let may_write = judge.judge(start + SECOND * second, &reading).is_none();
        bytes += others + if may_write { speed } else { 0 };
    }
    bytes as f64 / f64::from(SECONDS)
}

#[test]
fn the_log_grows_by_the_limit_on_average_however_fast_a_run_could_write() {
    for (speed, others) in [(3_000, 0), (10_000, 0), (1_500, 500), (20_000, 900)] {
        let rate = rate_of(speed, others, 1_000);
        assert!(
            (900.0..=1_050.0).contains(&rate),
            "{speed} {others}: {rate}"
        );
    }
    assert_eq!(rate_of(800, 0, 1_000), 800.0, "nobody waits below it");
    // Where others alone pass it, a run does not come on top.
    let rate = rate_of(10_000, 2_000, 1_000);
    assert!((2_000.0..=2_050.0).contains(&rate), "{rate}");
}

#[test]
fn what_others_wrote_for_an_hour_is_waited_for_a_minute_at_most() {
    let mut growth = LogGrowth::default();
    let (start, limit) = (Instant::now(), 1_000);
    let mut second = 0;
    let mut grew = |bytes: u64| {
        second += 1;
        growth.grew(start + SECOND * second, bytes, limit)
    };
    assert_eq!(grew(0), None, "one look says nothing about a rate");
    for n in 1..=3_600 {
        assert_eq!(grew(n * 9_000), Some(9_000.0));
    }
    let waited = (0..).find(|_| grew(3_600 * 9_000).is_none());
    assert_eq!(waited, Some(59));
}

#[test]
fn a_log_that_was_not_looked_at_for_a_while_begins_anew() {
    let mut growth = LogGrowth::default();
    let start = Instant::now();
    assert_eq!(growth.grew(start, 0, 1_000), None);
    assert_eq!(growth.grew(start + SECOND, 5_000, 1_000), Some(5_000.0));
    assert_eq!(growth.grew(start + SECOND * 60, 900_000, 1_000), None);
    // So does one whose server was started again.
    assert_eq!(growth.grew(start + SECOND * 61, 500, 1_000), None);
    assert_eq!(growth.grew(start + SECOND * 62, 1_500, 1_000), None);
    assert_eq!(
        growth.grew(start + SECOND * 63, 2_600, 1_000),
        Some(1_100.0)
    );
}
