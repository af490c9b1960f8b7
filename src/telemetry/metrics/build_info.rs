//! `retention_build_info`, whose labels change when the operating system updates the time-zone rules. The
//! exporter keeps every series for as long as the process lives, and of this one there must never be two;
//! so it is written here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::zone::Release;

const NAME: &str = "retention_build_info";
const HELP: &str = "1, labelled with the version that runs and the release of the time-zone rules that it goes by.";

/// Shared by the scrapes and whoever reads the rules.
#[derive(Clone, Debug)]
pub(super) struct BuildInfo(Arc<Mutex<Labels>>);

#[derive(Debug)]
struct Labels {
    tzdata: Release,
    tzdata_source: &'static str,
}

impl BuildInfo {
    /// Before any rules were read.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Labels {
            tzdata: Release::unknown(),
            tzdata_source: "unknown",
        })))
    }

    pub(super) fn set_tzdata(&self, release: &Release, source: &'static str) {
        *self.labels() = Labels {
            tzdata: release.clone(),
            tzdata_source: source,
        };
    }

    /// In the exposition format. No label needs escaping: a release holds letters, digits and `.-_`.
    pub(super) fn render(&self) -> String {
        let Labels {
            tzdata,
            tzdata_source,
        } = &*self.labels();
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "# HELP {NAME} {HELP}\n# TYPE {NAME} gauge\n{NAME}{{version=\"{version}\",\
             tzdata=\"{tzdata}\",tzdata_source=\"{tzdata_source}\"}} 1\n\n"
        )
    }

    fn labels(&self) -> MutexGuard<'_, Labels> {
        // Every change is one assignment: whoever panicked left nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
