use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use super::*;
use crate::domain::email_value::EmailValue;

const TENANT: TenantId = TenantId(7);

fn key(id: &str, first_byte: u8) -> (KeyId, MasterKey) {
    let secret = (first_byte..first_byte + 32).collect::<Vec<u8>>();
    (
        id.parse().unwrap(),
        MasterKey::new(Zeroizing::new(secret)).unwrap(),
    )
}

fn keyring(active: (KeyId, MasterKey), retained: Vec<(KeyId, MasterKey)>) -> Keyring {
    Keyring::new(active, retained).unwrap()
}

fn email(address: &str) -> NormalizedEmail {
    NormalizedEmail::normalize(address).unwrap()
}

fn content(hasher: &TenantHasher, parts: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut macs = hasher.content_macs();
    parts.iter().for_each(|part| macs.update(part));
    macs.finalize()
}

/// If this fails, put the code right, never the numbers: hashes in databases depend on them. They
/// were computed by this Python, which knows nothing of our code:
///
/// ```python
/// import hmac, hashlib
/// h = lambda k, m: hmac.new(k, m, hashlib.sha256).digest()
/// def hkdf(ikm, salt, info): return h(h(salt, ikm), info + b"\x01")  # RFC 5869, L = 32: one block
/// key = bytes(range(32)); tenant = (7).to_bytes(8, "big")
/// salt = b"retentiond"; info = lambda p: b"retentiond/v1/" + p + b"\0" + tenant
/// email = hkdf(key, salt, info(b"suppression-email"))
/// upload = hkdf(key, salt, info(b"upload-content"))
/// print(h(email, (1).to_bytes(4, "big") + b"ann.peeters@example.be").hex())
/// print(h(email, (2).to_bytes(4, "big") + b"ann.peeters@example.be").hex())
/// print(h(upload, b"email\nann.peeters@example.be\n").hex())
/// print(hkdf(key, salt, b"retentiond/v1/check-value").hex())
/// ```
#[test]
fn u03_known_answers_pin_the_derivation_for_ever() {
    let keyring = keyring(key("k1", 0), vec![]);
    let hasher = keyring.for_tenant(TENANT);
    let hashes = hasher.hash_all(&email(" Ann.Peeters@Example.BE"));
    assert_eq!(hashes[0], hasher.hash(&email("ann.peeters@example.be")));
    let hashes: Vec<_> = hashes
        .iter()
        .map(|hash| (hash.norm_version.number(), hex::encode(hash.hmac)))
        .collect();
    assert_eq!(
        hashes,
        [
            (
                2,
                "e796ed80776ff82ad8e10e9bd595914a7e4cd86d4693c3b9f2d6a1220f080f63".to_owned()
            ),
            (
                1,
                "2eac951e7eddfd0a6d09320c2cb4bd02ec47248d01e54224d3db322a81223073".to_owned()
            ),
        ]
    );
    assert_eq!(
        hex::encode(content(&hasher, &[b"email\nann.pe", b"eters@example.be\n"])[0]),
        "3095be227112fee76d3236c5dc4c1855cdab25c2e1e8cde0262fb47e0b4e1c5a"
    );
    assert_eq!(
        hex::encode(keyring.check_value(keyring.active_id()).unwrap()),
        "b28dad0724ec2773068897b5c163f215e32ae971ffa2fef47576c739b808f26e"
    );
}

/// RFC 5869, appendix A.1.
#[test]
fn u03_hkdf_gives_the_answer_of_rfc_5869() {
    let mut okm = [0; 42];
    let salt = hex::decode("000102030405060708090a0b0c").unwrap();
    let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
    Hkdf::<Sha256>::new(Some(&salt), &[0x0b; 22])
        .expand(&info, &mut okm)
        .unwrap();
    assert_eq!(
        hex::encode(okm),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    );
}

/// RFC 4231, test case 1.
#[test]
fn u03_hmac_gives_the_answer_of_rfc_4231() {
    let mac = Hmac::<Sha256>::new_from_slice(&[0x0b; 20]).unwrap();
    assert_eq!(
        hex::encode(mac.chain_update(b"Hi There").finalize().into_bytes()),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
}

#[test]
fn u03_purposes_have_different_keys() {
    let keyring = keyring(key("k1", 0), vec![]);
    let keys = &keyring.for_tenant(TENANT).keys[0];
    let check_value = keyring.check_value(keyring.active_id()).unwrap();
    assert_ne!(keys.email, keys.upload);
    assert_ne!(*keys.email, check_value);
    assert_ne!(*keys.upload, check_value);
}

#[test]
fn u04_two_tenants_have_different_hashes_of_one_address_and_one_file() {
    let keyring = keyring(key("k1", 0), vec![]);
    let tenants = [0, 1, 256, -1, i64::MAX].map(|id| keyring.for_tenant(TenantId(id)));
    for (index, one) in tenants.iter().enumerate() {
        for other in &tenants[..index] {
            assert_ne!(one.hash(&email("a@b")), other.hash(&email("a@b")));
            assert_ne!(content(one, &[b"a"]), content(other, &[b"a"]));
        }
    }
}

#[test]
fn u08_short_keys_and_bad_ids_are_refused() {
    for bytes in [0, 1, 31] {
        let key = MasterKey::new(Zeroizing::new(vec![1; bytes]));
        assert_eq!(key, Err(KeyringError::KeyTooShort { bytes }));
    }
    assert!(MasterKey::new(Zeroizing::new(vec![1; 33])).is_ok());
    let long = "k".repeat(65);
    for id in ["", "a b", "k\n", "k.1", "clé", long.as_str()] {
        assert_eq!(id.parse::<KeyId>(), Err(KeyringError::InvalidKeyId));
    }
    assert!(long[1..].parse::<KeyId>().is_ok());
    assert_eq!(
        Keyring::new(key("k1", 0), vec![key("k2", 1), key("k1", 2)]).map(|_| ()),
        Err(KeyringError::DuplicateKeyId)
    );
}

#[test]
fn u08_check_value_belongs_to_the_key_not_to_its_id() {
    let one = keyring(key("k1", 0), vec![key("k0", 1)]);
    let other = keyring(key("k1", 1), vec![]);
    let [k1, k0] = ["k1", "k0"].map(|id| id.parse::<KeyId>().unwrap());
    assert_ne!(one.check_value(&k1), other.check_value(&k1));
    assert_eq!(one.check_value(&k0), other.check_value(&k1));
    assert_eq!(other.check_value(&k0), None);
}

#[test]
fn u09_new_hashes_use_the_active_key_and_look_ups_try_every_key() {
    let old = keyring(key("k1", 0), vec![]).for_tenant(TENANT);
    let rotated = keyring(key("k3", 2), vec![key("k2", 1), key("k1", 0)]);
    let ids: Vec<&str> = rotated.key_ids().map(KeyId::as_str).collect();
    assert_eq!(ids, ["k3", "k2", "k1"]);

    let hasher = rotated.for_tenant(TENANT);
    let ann = email("ann@example.be");
    let all = hasher.hash_all(&ann);
    let used: Vec<(&str, i32)> = all
        .iter()
        .map(|hash| (hash.key_id.as_str(), hash.norm_version.number()))
        .collect();
    let by_both = ids.iter().flat_map(|id| [(*id, 2), (*id, 1)]);
    assert_eq!(used, by_both.collect::<Vec<_>>());
    assert_eq!(all[0], hasher.hash(&ann));
    assert_eq!(all[4..], old.hash_all(&ann));
    for (index, one) in all.iter().enumerate() {
        assert!(all[..index].iter().all(|other| other.hmac != one.hmac));
    }
    // A text that only version 1 has is looked for under version 1 only.
    let marked = NormalizedEmail::normalize_by(NormVersion::One, "\u{200E}ann@b").unwrap();
    let versions = hasher
        .hash_all(&marked)
        .into_iter()
        .map(|hash| hash.norm_version);
    assert!(versions.eq([NormVersion::One; 3]));

    let macs = content(&hasher, &[b"a", b"", b"b"]);
    assert_eq!(macs.len(), 3);
    assert_eq!(macs[2], content(&old, &[b"ab"])[0]);
}

#[test]
fn e10_debug_shows_no_key() {
    let keyring = keyring(key("k1", 0x41), vec![]);
    let hasher = keyring.for_tenant(TENANT);
    let shown = format!("{keyring:?} {hasher:?} {:?}", hasher.content_macs());
    assert_eq!(
        shown,
        "Keyring { keys: [(KeyId(k1), MasterKey([redacted]))] } TenantHasher([redacted]) ContentMacs([redacted])"
    );
}

/// Hashes that version 0.1.0 wrote into a database, for tenant 1 under the key of bytes 0 to 31. Each
/// must be found by the value that was unsubscribed with it.
#[test]
fn u12_hashes_of_the_version_before_are_found_by_the_text_they_were_made_from() {
    let hasher = keyring(key("k9", 5), vec![key("k1", 0)]).for_tenant(TenantId(1));
    for (text, stored) in [
        (
            " Ann@example.be",
            "ddc37c73f395f47dfe147ad4e1ba69e518f3f0dd9b7f4f6c75dcaa56fd6d629b",
        ),
        (
            "\u{200E}ann@example.be",
            "ddc37c73f395f47dfe147ad4e1ba69e518f3f0dd9b7f4f6c75dcaa56fd6d629b",
        ),
        (
            "\u{200E}bob@example.be",
            "f4e669e3e7b8e4b08667495f74d2dde4b7c3e10aaa27d38442e1294917edcc09",
        ),
        (
            "Carl <carl@example.be>",
            "f56ca0921068f4242eb590f1b225cf4420cc7c13c772501d08dce0029d259173",
        ),
    ] {
        let value = EmailValue::read(text);
        let readings = value.readings().chain(value.old_whole());
        let found = readings
            .flat_map(|reading| hasher.hash_all(reading))
            .any(|hash| {
                hash.key_id.as_str() == "k1"
                    && hash.norm_version == NormVersion::One
                    && hex::encode(hash.hmac) == stored
            });
        assert!(found, "{text:?}");
    }
}

#[test]
fn a_key_that_a_person_typed_or_a_program_filled_in_is_told_from_a_random_one() {
    let key = |bytes: Vec<u8>| MasterKey::new(Zeroizing::new(bytes)).unwrap();
    let alternating = b"\xde\xad\xbe\xef".repeat(8);
    let counted_down: Vec<u8> = (0..=255).rev().collect();
    for patterned in [
        vec![0; 32],
        vec![0xff; 64],
        (0..32).collect(),
        (0..64).map(|number: u8| number.wrapping_mul(3)).collect(),
        counted_down,
        alternating,
        b"0123456789 0123456789 0123456789".to_vec(),
    ] {
        let shown = format!("{patterned:?}");
        assert!(key(patterned).is_patterned(), "{shown}");
    }
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..10_000 {
        let mut bytes = vec![0; 32];
        random.fill_bytes(&mut bytes);
        assert!(!key(bytes).is_patterned());
    }
}
