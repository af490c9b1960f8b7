//! Periods and quarantines as people write them: `1m`, `1y`, `28d`, `none`.

use super::{PolicyError, PolicyPeriod, nearest_quarantine, quarantine_in_range};
use crate::domain::period::Months;
use crate::domain::shown;

/// A number and its unit, read as far as is needed to name the nearest value that would do.
struct Quantity {
    number: f64,
    whole: bool,
    unit: Unit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl Unit {
    /// The unit's length in days, of which the Gregorian calendar's 400 years have 146,097.
    const fn days(self) -> f64 {
        match self {
            Self::Day => 1.0,
            Self::Week => 7.0,
            Self::Month => 146_097.0 / 4_800.0,
            Self::Year => 146_097.0 / 400.0,
        }
    }
}

impl Quantity {
    /// Reads `-1m`, `1.5y` or `30 days` alike: to refuse them with good advice.
    fn read(text: &str) -> Option<Self> {
        let unit_start = text.find(|character: char| character.is_alphabetic())?;
        let (number, unit) = text.split_at(unit_start);
        let number = number.trim_end();
        let (sign, digits) = match number.strip_prefix('-') {
            Some(digits) => (-1.0, digits),
            None => (1.0, number),
        };
        let is_digit = |byte: u8| byte.is_ascii_digit();
        if !digits.starts_with(|first: char| first.is_ascii_digit())
            || !digits.bytes().all(|byte| is_digit(byte) || byte == b'.')
        {
            return None;
        }
        let unit = match unit.to_ascii_lowercase().as_str() {
            "d" | "day" | "days" => Unit::Day,
            "w" | "week" | "weeks" => Unit::Week,
            "m" | "month" | "months" => Unit::Month,
            "y" | "year" | "years" => Unit::Year,
            _ => return None,
        };
        Some(Self {
            number: sign * digits.parse::<f64>().ok()?,
            whole: digits.bytes().all(is_digit),
            unit,
        })
    }

    /// The nearest whole number of `unit`s.
    fn rounded_to(&self, unit: Unit) -> i64 {
        let number = (self.number * self.unit.days() / unit.days()).round();
        // Far beyond every limit, and far within what an f64 holds exactly.
        const NUMBER_MAX: f64 = 1e12;
        let number = number.clamp(-NUMBER_MAX, NUMBER_MAX);
        format!("{number:.0}").parse().unwrap_or(0)
    }
}

/// Reads an anonymization period: `1m`, `1y` or `none`.
///
/// # Errors
///
/// See [`PolicyError`]; the sentence names the value, the rule and the nearest allowed value (P5).
pub fn parse_anonymize(text: &str) -> Result<Option<Months>, PolicyError> {
    parse_months(PolicyPeriod::Anonymize, text)
}

/// Reads a retention period: `12m`, `1y` or `none`.
///
/// # Errors
///
/// See [`PolicyError`]; the sentence names the value, the rule and the nearest allowed value (P5).
pub fn parse_retain(text: &str) -> Result<Option<Months>, PolicyError> {
    parse_months(PolicyPeriod::Retain, text)
}

/// Reads a quarantine: `28d` or `none`.
///
/// # Errors
///
/// See [`PolicyError`]; the sentence names the value, the rule and the nearest allowed value (P7).
pub fn parse_quarantine(text: &str) -> Result<Option<u32>, PolicyError> {
    let text = text.trim();
    if text == "none" {
        return Ok(None);
    }
    let Some(quantity) = Quantity::read(text) else {
        return Err(PolicyError::QuarantineUnreadable(shown(text)));
    };
    let days = quantity.rounded_to(Unit::Day);
    if !quantity.whole || quantity.unit != Unit::Day {
        return Err(PolicyError::QuarantineNotInDays {
            value: shown(text),
            nearest: nearest_quarantine(days),
        });
    }
    quarantine_in_range(days, || shown(text)).map(Some)
}

fn parse_months(stage: PolicyPeriod, text: &str) -> Result<Option<Months>, PolicyError> {
    let text = text.trim();
    if text == "none" {
        return Ok(None);
    }
    let Some(quantity) = Quantity::read(text) else {
        return Err(PolicyError::PeriodUnreadable {
            stage,
            value: shown(text),
        });
    };
    let number = quantity.rounded_to(Unit::Month);
    if !quantity.whole || matches!(quantity.unit, Unit::Day | Unit::Week) {
        return Err(PolicyError::PeriodNotInMonths {
            stage,
            value: shown(text),
            nearest: stage.nearest_months(number),
        });
    }
    stage
        .months(number)
        .map(Some)
        .ok_or_else(|| stage.out_of_range(shown(text), number))
}
