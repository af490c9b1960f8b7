//! E-mail normalisation (U1): any text. What is valid stays valid and does not change any more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retentiond::domain::email::NormalizedEmail;

fuzz_target!(|bytes: &[u8]| {
    let address = String::from_utf8_lossy(bytes);
    let Some(once) = NormalizedEmail::normalize(&address) else {
        // Invalid only without an `@`, or with nothing on one of its sides.
        if let Some((local, domain)) = address.rsplit_once('@') {
            let domain = NormalizedEmail::normalize(&format!("a@{domain}"));
            let local = NormalizedEmail::normalize(&format!("{local}@a"));
            assert!(local.is_none() || domain.is_none(), "an address was lost");
        }
        return;
    };
    let (local, domain) = once.expose().rsplit_once('@').expect("an address has an @");
    assert!(!local.is_empty() && !domain.is_empty(), "a side was lost");
    let twice = NormalizedEmail::normalize(once.expose());
    assert!(
        twice.as_ref() == Some(&once),
        "normalising is not idempotent"
    );
    let padded = format!("\u{A0}\u{FEFF} {address}\u{200B}\r\n");
    assert!(
        NormalizedEmail::normalize(&padded).as_ref() == Some(&once),
        "padding matters"
    );
    assert_eq!(format!("{once:?}"), "NormalizedEmail([redacted])");
});
