//! What was measured, for people and for programs.

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::data::Data;
use crate::measure::Figures;
use crate::noise::median;

/// All measurements on one database.
#[derive(Serialize)]
pub struct Report {
    pub database: &'static str,
    pub version: String,
    pub data: Data,
    pub figures: Vec<Figures>,
    /// Why nothing can be compared, if so.
    pub trouble: Option<String>,
}

/// A contender's figures over all repetitions.
pub struct Summary<'a> {
    pub work: &'a str,
    pub contender: &'a str,
    pub rows_per_second: f64,
    /// Its rate ÷ the giant statement's of the same repetition: median, smallest, largest.
    pub ratio: [f64; 3],
    log_ratio: Option<f64>,
    figures: Vec<&'a Figures>,
}

/// One measurement on a line.
pub fn line(figures: &Figures) -> String {
    format!(
        "  {} by {}, no. {}: {:.1} s, {:.0} rows/s; foreground p99 {:.1} ms, idle {:.1} ms",
        figures.work,
        figures.contender,
        figures.repetition,
        figures.seconds,
        figures.rows_per_second,
        figures.during.p99,
        figures.idle.p99
    )
}

impl Report {
    pub fn may_compare(&self, ignore_noise: bool) -> bool {
        self.trouble.is_none() || ignore_noise
    }

    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Contenders in the order in which they came.
    pub fn summaries(&self) -> Vec<Summary<'_>> {
        let mut summaries: Vec<Summary<'_>> = Vec::new();
        for figures in &self.figures {
            let known = summaries.iter_mut().find(|summary| {
                summary.work == figures.work && summary.contender == figures.contender
            });
            match known {
                Some(summary) => summary.figures.push(figures),
                None => summaries.push(Summary {
                    work: &figures.work,
                    contender: &figures.contender,
                    rows_per_second: f64::NAN,
                    ratio: [f64::NAN; 3],
                    log_ratio: None,
                    figures: vec![figures],
                }),
            }
        }
        for summary in &mut summaries {
            let giant = |figures: &Figures| {
                self.figures.iter().find(|other| {
                    other.contender == "giant"
                        && other.work == figures.work
                        && other.repetition == figures.repetition
                })
            };
            let of = |what: &dyn Fn(&Figures) -> Option<f64>| -> Vec<f64> {
                summary
                    .figures
                    .iter()
                    .filter_map(|figures| what(figures))
                    .collect()
            };
            let ratios =
                of(&|figures| Some(figures.rows_per_second / giant(figures)?.rows_per_second));
            let log_ratios = of(&|figures| {
                Some(figures.log_bytes_per_row? / giant(figures)?.log_bytes_per_row?)
            });
            summary.rows_per_second = median(of(&|figures| Some(figures.rows_per_second)));
            summary.ratio = [
                median(ratios.clone()),
                ratios.iter().copied().fold(f64::NAN, f64::min),
                ratios.iter().copied().fold(f64::NAN, f64::max),
            ];
            summary.log_ratio = (!log_ratios.is_empty()).then(|| median(log_ratios));
        }
        summaries
    }

    pub fn print(&self, ignore_noise: bool) {
        println!(
            "\n{} {}: {} participants in 20 tenants, 12 rows each, seed {}",
            self.database, self.version, self.data.participants, self.data.seed
        );
        let compares = self.may_compare(ignore_noise);
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "work",
            "contender",
            "n",
            "rows/s",
            "÷ giant",
            "spread",
            "log B/row",
            "÷ giant",
            "peak MiB",
            "idle p50",
            "p99",
            "p99.9 ms",
            "during p50",
            "p99",
            "p99.9 ms",
            "p99 ÷ idle",
        ]);
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for summary in self.summaries() {
            let of = |what: &dyn Fn(&Figures) -> Option<f64>| {
                median(
                    summary
                        .figures
                        .iter()
                        .filter_map(|figures| what(figures))
                        .collect(),
                )
            };
            let shown = |number: f64, decimals: usize| {
                if number.is_nan() {
                    "–".to_owned()
                } else {
                    format!("{number:.decimals$}")
                }
            };
            let ratio =
                |number: f64, decimals| shown(if compares { number } else { f64::NAN }, decimals);
            let [_, least, most] = summary.ratio;
            let spread = match (compares, least.is_nan()) {
                (true, false) => format!("{least:.2} to {most:.2}"),
                _ => "–".to_owned(),
            };
            table.add_row([
                summary.work.to_owned(),
                summary.contender.to_owned(),
                summary.figures.len().to_string(),
                shown(summary.rows_per_second, 0),
                ratio(summary.ratio[0], 2),
                spread,
                shown(of(&|figures| figures.log_bytes_per_row), 0),
                ratio(summary.log_ratio.unwrap_or(f64::NAN), 2),
                shown(of(&|figures| figures.peak_memory_mebibytes), 1),
                shown(of(&|figures| Some(figures.idle.p50)), 2),
                shown(of(&|figures| Some(figures.idle.p99)), 2),
                shown(of(&|figures| Some(figures.idle.p99_9)), 2),
                shown(of(&|figures| Some(figures.during.p50)), 2),
                shown(of(&|figures| Some(figures.during.p99)), 2),
                shown(of(&|figures| Some(figures.during.p99_9)), 2),
                ratio(
                    of(&|figures| Some(figures.during.p99 / figures.idle.p99)),
                    2,
                ),
            ]);
        }
        println!("{table}");
        if let Some(trouble) = &self.trouble {
            println!("NOT COMPARABLE: {trouble}. Try again on a machine that does nothing else.");
        }
    }
}
