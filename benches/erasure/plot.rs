//! The rates as bars, with the spread of the ratios in words.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use crate::report::Report;

const WIDTH: u32 = 900;
const BAR_HEIGHT: u32 = 34;

/// Writes the plot.
pub fn draw(report: &Report, path: &Path) -> Result<()> {
    let summaries = report.summaries();
    let bars = u32::try_from(summaries.len())?;
    let height = 60 + bars * BAR_HEIGHT;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!(
        "{} {}, {} participants: rows/s (ratio to the giant statement, spread)",
        report.database, report.version, report.data.participants
    );
    area.draw(&Text::new(title, (16, 16), ("sans-serif", 17)))?;
    let most = summaries
        .iter()
        .map(|summary| summary.rows_per_second)
        .fold(0.0, f64::max);
    let mut top = 48;
    for summary in &summaries {
        let colour = if summary.contender.starts_with("ours") {
            &BLUE
        } else {
            &RGBColor(150, 150, 150)
        };
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let length = (summary.rows_per_second / most * 380.0) as i32;
        let bottom = top + i32::try_from(BAR_HEIGHT)? - 12;
        area.draw(&Rectangle::new(
            [(240, top), (240 + length, bottom)],
            colour.filled(),
        ))?;
        let name = format!("{} by {}", summary.work, summary.contender);
        area.draw(&Text::new(name, (16, top + 4), ("sans-serif", 14)))?;
        let [median, least, most] = summary.ratio;
        let figures = format!(
            "{:.0}  ({median:.2}, {least:.2}–{most:.2})",
            summary.rows_per_second
        );
        area.draw(&Text::new(
            figures,
            (248 + length, top + 4),
            ("sans-serif", 14),
        ))?;
        top += i32::try_from(BAR_HEIGHT)?;
    }
    area.present()?;
    Ok(())
}
