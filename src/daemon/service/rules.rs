//! What the outside is told of the time-zone rules in use. The operating system updates them while the
//! service runs, and each look reads them anew (D12).

use super::Daemon;

impl Daemon {
    /// A look has read the rules.
    pub(super) fn notice_rules(&mut self) {
        let before = std::mem::replace(&mut self.rules, self.tzdata.newest());
        let is_same =
            before.release() == self.rules.release() && before.source() == self.rules.source();
        if is_same {
            return;
        }
        tracing::info!(
            event = "tzdata_changed",
            tzdata_release = %self.rules.release(),
            tzdata_source = %self.rules.source(),
            tzdata_release_before = %before.release(),
            "the time-zone rules have another release than before; pinned cutoffs stay as they are"
        );
        self.tell_of_rules();
    }

    /// Shows which rules are in use, and says what should be done about them.
    pub(super) fn tell_of_rules(&self) {
        self.scrape
            .set_tzdata(self.rules.release(), self.rules.source().name());
        self.rules.warn(self.clock.now());
    }
}
