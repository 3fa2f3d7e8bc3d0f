//! Keys, key files and envelopes.

use quorate_identity::envelope::kind;
use quorate_identity::{KeyError, KeyId, SignatureError, Signed, SigningKey};

use crate::support::key;

#[test]
fn a_signature_fits_one_kind_one_payload_one_key() {
    let alice = key(1);
    let signed = Signed::by(&alice, kind::QUESTION, b"how many".to_vec());
    signed.verify(kind::QUESTION, alice.key_id()).unwrap();

    let mut altered = signed.clone();
    altered.payload.push(b'?');
    assert_eq!(
        altered.verify(kind::QUESTION, alice.key_id()),
        Err(SignatureError::Invalid(alice.key_id().clone()))
    );

    let mut relabelled = signed.clone();
    relabelled.kind = kind::ANSWER.to_owned();
    assert_eq!(
        relabelled.verify(kind::ANSWER, alice.key_id()),
        Err(SignatureError::Invalid(alice.key_id().clone()))
    );
    assert_eq!(
        signed.verify(kind::ANSWER, alice.key_id()),
        Err(SignatureError::WrongKind {
            expected: kind::ANSWER.to_owned()
        })
    );

    let bob = key(2);
    assert!(matches!(
        signed.verify(kind::QUESTION, bob.key_id()),
        Err(SignatureError::WrongKey { .. })
    ));
}

#[test]
fn somebody_elses_id_on_a_signature_is_noticed() {
    let (alice, bob) = (key(1), key(2));
    let mut signed = Signed::by(&alice, kind::QUESTION, b"x".to_vec());
    signed.signatures[0].key_id = bob.key_id().clone();
    assert_eq!(
        signed.verify(kind::QUESTION, bob.key_id()),
        Err(SignatureError::Invalid(bob.key_id().clone()))
    );
}

#[test]
fn odd_envelopes_are_refused() {
    let (alice, bob) = (key(1), key(2));
    let good = Signed::by(&alice, kind::STAMP, b"x".to_vec());

    let unsigned = Signed {
        signatures: Vec::new(),
        ..good.clone()
    };
    assert_eq!(
        unsigned.verify(kind::STAMP, alice.key_id()),
        Err(SignatureError::Unsigned)
    );
    assert_eq!(
        unsigned.verify_all(kind::STAMP),
        Err(SignatureError::Unsigned)
    );

    let mut twice = good.clone();
    twice.signatures.push(alice.sign(kind::STAMP, b"x"));
    assert_eq!(
        twice.verify(kind::STAMP, alice.key_id()),
        Err(SignatureError::TooMany)
    );
    assert_eq!(
        twice.verify_all(kind::STAMP),
        Err(SignatureError::Twice(alice.key_id().clone()))
    );

    let mut two = good.clone();
    two.signatures.push(bob.sign(kind::STAMP, b"x"));
    assert_eq!(
        two.verify(kind::STAMP, alice.key_id()),
        Err(SignatureError::TooMany)
    );
    assert_eq!(two.verify_all(kind::STAMP).unwrap().len(), 2);

    let unknown = Signed::by(&alice, "gossip", b"x".to_vec());
    assert_eq!(
        unknown.verify("gossip", alice.key_id()),
        Err(SignatureError::UnknownKind)
    );
}

#[test]
fn a_kind_cannot_borrow_bytes_from_its_payload() {
    // `quorate/v1/<kind>\0`: the zero byte keeps `roster` + payload apart from any longer kind.
    let alice = key(1);
    let signature = alice.sign("ros", b"ter\0payload");
    assert!(
        !alice
            .key_id()
            .verifies("roster", b"payload", &signature.signature)
    );
    assert!(
        !alice
            .key_id()
            .verifies("roster", b"ter\0payload", &signature.signature)
    );
}

#[test]
fn a_key_has_one_spelling() {
    let id = key(1).key_id().clone();
    assert_eq!(KeyId::parse(id.as_str()).unwrap(), id);
    let text = id.to_string();
    for bad in [
        text.replace("ed25519:", "ED25519:"),
        text.replace("ed25519:", ""),
        format!("{text}="),
        format!(" {text}"),
        text.chars().take(50).collect(),
        // the last character of 43 carries two unused bits, which must be zero
        text.chars().take(50).chain(['_']).collect(),
    ] {
        assert!(KeyId::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_key_file_round_trips_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.key");
    let made = SigningKey::generate().unwrap();
    made.save(&path).unwrap();
    let loaded = SigningKey::load(&path).unwrap();
    assert_eq!(loaded.key_id(), made.key_id());
    assert_eq!(loaded.sign(kind::HELLO, b"x"), made.sign(kind::HELLO, b"x"));

    assert!(matches!(key(1).save(&path), Err(KeyError::Exists { .. })));
    assert_eq!(SigningKey::load(&path).unwrap().key_id(), made.key_id());
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.key");
    key(1).save(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    for mode in [0o640, 0o604, 0o620, 0o660, 0o644] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = SigningKey::load(&path).unwrap_err();
        assert!(matches!(refused, KeyError::Exposed { mode: found, .. } if found == mode));
        assert!(refused.to_string().contains("chmod 600"));
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    SigningKey::load(&path).unwrap();
}

#[test]
fn a_damaged_key_file_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.key");
    key(1).save(&good).unwrap();
    let text = std::fs::read_to_string(&good).unwrap();
    let seed = text
        .lines()
        .last()
        .unwrap()
        .strip_prefix("seed ")
        .unwrap()
        .to_owned();
    let other = key(2).key_id().to_string();
    let damaged = [
        String::new(),
        text.replace("quorate-key 1", "quorate-key 2"),
        text.replace(&seed, "AAAA"),
        text.replace(key(1).key_id().as_str(), &other),
        format!("{text}more\n"),
        "x".repeat(100_000),
    ];
    for (i, bad) in damaged.iter().enumerate() {
        let path = folder.path().join(format!("{i}.key"));
        quorate_identity::keys::write_private(&path, bad.as_bytes()).unwrap();
        let refused = SigningKey::load(&path).unwrap_err();
        assert!(
            matches!(refused, KeyError::NotAKeyFile { .. }),
            "{i}: {refused}"
        );
        assert!(!refused.to_string().contains(&seed));
    }
    assert!(matches!(
        SigningKey::load(&folder.path().join("none.key")),
        Err(KeyError::Io { .. })
    ));
}

#[test]
fn a_key_never_shows_itself() {
    let alice = key(7);
    assert_eq!(
        format!("{alice:?}"),
        format!("SigningKey({})", alice.key_id())
    );
}
