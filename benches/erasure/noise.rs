//! Whether the machine was quiet enough for a comparison to mean anything.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::measure::Figures;

/// Others may use so much of all processors while nothing of ours runs.
const BUSY_MAX: f64 = 0.10;

/// How long we wait for others to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The slowest look may take so much longer than the fastest one.
const PROCESSOR_SPREAD_MAX: f64 = 1.25;

/// Disks vary more.
const DISK_SPREAD_MAX: f64 = 3.0;

/// What the machine did before a measurement, when it had nothing to do for us.
#[derive(Clone, Debug, Serialize)]
pub struct Quiet {
    /// Part of all processors that others used.
    pub busy: f64,
    /// For a fixed piece of work.
    pub processor_milliseconds: f64,
    /// For a write that reaches the disk, half of them took longer.
    pub disk_milliseconds: f64,
}

/// One look, once others are quiet, or not quiet in time.
pub fn look() -> Result<Quiet> {
    let started = Instant::now();
    let mut busy = busy_for(Duration::from_secs(2))?;
    while busy > BUSY_MAX && started.elapsed() < PATIENCE {
        busy = busy_for(Duration::from_secs(2))?;
    }
    Ok(Quiet {
        busy,
        processor_milliseconds: processor(),
        disk_milliseconds: disk()?,
    })
}

/// Why nothing can be compared, if so.
pub fn trouble(figures: &[Figures]) -> Option<String> {
    let of = |what: fn(&Quiet) -> f64| figures.iter().map(move |figures| what(&figures.quiet));
    let busiest = of(|quiet| quiet.busy).fold(0.0, f64::max);
    if busiest > BUSY_MAX {
        return Some(format!(
            "others used {:.0} % of the processors",
            busiest * 100.0
        ));
    }
    let spread = |what: fn(&Quiet) -> f64| {
        of(what).fold(0.0, f64::max) / of(what).fold(f64::INFINITY, f64::min)
    };
    let processor = spread(|quiet| quiet.processor_milliseconds);
    if processor > PROCESSOR_SPREAD_MAX {
        return Some(format!(
            "the processor's speed varied by a factor of {processor:.2}"
        ));
    }
    let disk = spread(|quiet| quiet.disk_milliseconds);
    (disk > DISK_SPREAD_MAX).then(|| format!("the disk's speed varied by a factor of {disk:.2}"))
}
fn busy_for(during: Duration) -> Result<f64> {
    let before = processor_times()?;
    std::thread::sleep(during);
    let after = processor_times()?;
    let all = after.0 - before.0;
    let idle = after.1 - before.1;
    Ok(1.0 - idle / all.max(1.0))
}

/// Ticks of all processors since they were started: all of them, and those in which they were idle.
fn processor_times() -> Result<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    // cpu user nice system idle iowait …; the guest's times are part of the first two.
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|field| field.parse().ok())
        .collect();
    let idle = ticks
        .get(3..5)
        .context("/proc/stat has no idle time")?
        .iter()
        .sum();
    Ok((ticks.iter().sum(), idle))
}

fn processor() -> f64 {
    let block = [7_u8; 1 << 16];
    let once = || {
        let started = Instant::now();
        for _ in 0..500 {
            black_box(Sha256::digest(black_box(block)));
        }
        started.elapsed().as_secs_f64() * 1000.0
    };
    median((0..9).map(|_| once()).collect())
}

fn disk() -> Result<f64> {
    let mut file: File = tempfile::tempfile()?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(times))
}

/// The middle one; of an even number, the mean of the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => numbers[half],
        _ => f64::midpoint(numbers[half - 1], numbers[half]),
    }
}
