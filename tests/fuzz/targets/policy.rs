//! Periods and quarantines as people write them (P5–P7): any text, one value a line.
//!
//! What is accepted keeps the rules and survives being printed and stored; what is refused is told
//! a nearest value that is accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retentiond::domain::policy::{
    PolicyError, QUARANTINE_DAYS_MAX, RETAIN_MONTHS_MIN, Terms, parse_anonymize, parse_quarantine,
    parse_retain,
};

const MONTHS_MAX: u16 = 1_200;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut values = text.splitn(3, '\n');
    let mut value = || values.next().unwrap_or("none");
    let (anonymize, retain, quarantine) = (value(), value(), value());

    let anonymize = parse_anonymize(anonymize);
    let retain = parse_retain(retain);
    let quarantine = parse_quarantine(quarantine);
    for (months, minimum, parse) in [
        (&anonymize, 1, parse_anonymize as fn(&str) -> _),
        (&retain, RETAIN_MONTHS_MIN, parse_retain),
    ] {
        match months {
            Ok(None) => {}
            Ok(Some(months)) => {
                assert!(
                    (minimum..=MONTHS_MAX).contains(&months.get()),
                    "out of range"
                );
                assert_eq!(
                    parse(&months.to_string()),
                    Ok(Some(*months)),
                    "printed and read"
                );
            }
            Err(refusal) => {
                if let Some(nearest) = nearest(refusal) {
                    assert!(
                        parse(&format!("{nearest}m")).is_ok(),
                        "bad advice: {refusal}"
                    );
                }
            }
        }
    }
    match &quarantine {
        Ok(None) => {}
        Ok(Some(days)) => {
            assert!((1..=QUARANTINE_DAYS_MAX).contains(days), "out of range");
            assert_eq!(parse_quarantine(&format!("{days}d")), Ok(Some(*days)));
        }
        Err(refusal) => {
            if let Some(nearest) = nearest(refusal) {
                let nearest = parse_quarantine(&format!("{nearest}d"));
                assert!(nearest.is_ok(), "bad advice: {refusal}");
            }
        }
    }

    let (Ok(anonymize), Ok(retain), Ok(quarantine)) = (anonymize, retain, quarantine) else {
        return;
    };
    for accept_long_quarantine in [false, true] {
        match Terms::new(anonymize, retain, quarantine, accept_long_quarantine) {
            Ok(terms) => {
                if let (Some(anonymize), Some(retain)) = (anonymize, retain) {
                    assert!(anonymize < retain, "A must be shorter than R");
                }
                let stored = Terms::from_stored(
                    terms.anonymize_after.map(|months| months.as_i32()),
                    terms.retain.map(|months| months.as_i32()),
                    terms
                        .quarantine_days
                        .map(|days| i32::try_from(days).expect("few days")),
                    terms.long_quarantine_accepted,
                );
                assert_eq!(stored, Ok(terms), "stored and read");
            }
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    }
});

/// The value that a refusal advises.
fn nearest(refusal: &PolicyError) -> Option<i64> {
    match refusal {
        PolicyError::PeriodNotInMonths { nearest, .. }
        | PolicyError::PeriodOutOfRange { nearest, .. } => Some(*nearest),
        PolicyError::QuarantineNotInDays { nearest, .. }
        | PolicyError::QuarantineOutOfRange { nearest, .. } => Some(i64::from(*nearest)),
        _ => None,
    }
}
