//! E-mail normalisation (U1) and what an e-mail value means (U12): any text. What is valid stays valid
//! and does not change any more; what could be hashed has an address; a hash of version 1 is still found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retentiond::domain::address::read_bare;
use retentiond::domain::email::{NormVersion, NormalizedEmail};
use retentiond::domain::email_value::EmailValue;

fuzz_target!(|bytes: &[u8]| {
    let address = String::from_utf8_lossy(bytes);
    read(&address);
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

fn read(text: &str) {
    let value = EmailValue::read(text);
    let old = NormalizedEmail::normalize_by(NormVersion::One, text);
    if let Some(old) = &old {
        let found = value
            .readings()
            .any(|reading| reading.expose() == old.expose())
            || value.old_whole() == Some(old);
        assert!(found, "a hash of version 1 is lost");
    }
    if NormalizedEmail::normalize(text).is_some() {
        assert!(
            !value.addresses().is_empty(),
            "it cannot be hashed any more"
        );
    }
    match read_bare(text) {
        Ok(address) => assert!(
            value.addresses() == [address],
            "a bare address means another one"
        ),
        Err(kind) => assert!(!kind.as_str().is_empty(), "refused without a reason"),
    }
}
