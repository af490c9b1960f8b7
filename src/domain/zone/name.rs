//! Names of time zones, as IANA gives them.

/// As many parts as `America/Argentina/Buenos_Aires` has, and one to spare.
const PARTS_MAX: usize = 4;

/// Twice as long as IANA lets a part be.
const PART_BYTES_MAX: usize = 28;

/// Whether `name` is written as IANA writes names of zones: parts between slashes, each of which
/// begins with a capital letter and goes on with letters, digits, `_`, `-` and `+`.
///
/// Only such a name is ever looked for. So nothing can lead out of the database's folder, and none
/// of what lies in it beside the zones is taken for one: `posix/…`, `right/…` (whose clocks count
/// leap seconds), `posixrules`, `localtime`, `tzdata.zi`, `+VERSION`.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    let mut parts = 0;
    name.split('/').all(|part| {
        parts += 1;
        parts <= PARTS_MAX
            && part.len() <= PART_BYTES_MAX
            && part.starts_with(|first: char| first.is_ascii_uppercase())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d12_only_plain_names_are_looked_for() {
        for name in [
            "UTC",
            "Europe/Brussels",
            "America/Argentina/Buenos_Aires",
            "America/Port-au-Prince",
            "America/North_Dakota/New_Salem",
            "Etc/GMT+12",
            "GMT0",
            "EST5EDT",
            "W-SU",
        ] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in [
            "",
            "/",
            "/etc/passwd",
            "/Europe/Brussels",
            "../../etc/passwd",
            "Europe/../../etc/passwd",
            "Europe/..",
            "Europe/./Brussels",
            "Europe//Brussels",
            "Europe/Brussels/",
            "Europe\\Brussels",
            "Europe/Brussels\0",
            "Europe/Brussels\n",
            " Europe/Brussels",
            "Europe/Brüssel",
            "europe/brussels",
            "posix/Europe/Brussels",
            "right/Europe/Brussels",
            "posixrules",
            "localtime",
            "leapseconds",
            "tzdata.zi",
            "zone1970.tab",
            "+VERSION",
            "+01:00",
            ":Europe/Brussels",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "<+03>-3",
            "A/B/C/D/E",
            "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }
}
