//! Laws that hold for every log: it only grows, and nobody but custodians can make it.

use proptest::prelude::*;
use quorate_identity::roster::{Change, Entry, parse_log};
use quorate_identity::tls::{self, check_csr, new_csr};
use quorate_identity::token::{EnrolToken, TokenError};
use quorate_identity::{KeyId, Member, Role, Roster, Signed};

use crate::support::{DAY, NOW, add, founded, key, name, revoke, signed};

/// A log of arbitrary additions and revocations, each signed by enough custodians.
fn grown(steps: &[(u8, bool)]) -> (Vec<Signed>, Vec<KeyId>) {
    let (log, pins) = founded();
    let mut roster = Roster::verify(None, &pins, &log).unwrap();
    let keys: Vec<_> = (1..40_u8).map(key).collect();
    for &(seed, remove) in steps {
        let (role, who) = match seed % 4 {
            0 => (Role::Custodian, format!("c{seed}")),
            1 => (Role::Node, format!("n{seed}")),
            2 => (Role::Researcher, format!("r{seed}")),
            _ => (Role::Coordinator, format!("hub{seed}")),
        };
        let change: Change = if remove {
            revoke(role, &who, &key(seed))
        } else {
            add(role, &who, &key(seed), NOW + 100 * DAY)
        };
        let is_custodian = |m: &Member| m.role == Role::Custodian;
        let custodians: Vec<_> = keys
            .iter()
            .filter(|key| roster.by_key(key.key_id(), NOW).is_ok_and(is_custodian))
            .collect();
        let entry = signed(roster.propose(change, NOW - DAY), &custodians);
        // Some steps make no sense (revoke a stranger): they are refused and leave no trace.
        let _ = roster.append(&entry);
    }
    (roster.log().to_vec(), pins)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_prefix_is_a_roster_that_the_whole_extends(
        steps in prop::collection::vec((2..40_u8, any::<bool>()), 0..12),
    ) {
        let (log, pins) = grown(&steps);
        let whole = Roster::verify(Some("heart"), &pins, &log).unwrap();
        for end in 1..=log.len() {
            let part = Roster::verify(Some("heart"), &pins, &log[..end]).unwrap();
            prop_assert!(whole.extends(&part.head()));
            prop_assert_eq!(part.extends(&whole.head()), end == log.len());
            prop_assert!(part.quorum() <= whole.quorum());
            prop_assert_eq!(part.advance(&log), Ok(whole.clone()));
        }
    }

    #[test]
    fn any_changed_byte_any_lost_or_moved_entry_is_noticed(
        steps in prop::collection::vec((2..40_u8, Just(false)), 2..8),
        at in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let (log, pins) = grown(&steps);
        let entry = at.index(log.len());

        let mut altered = log.clone();
        let position = byte.index(altered[entry].payload.len());
        altered[entry].payload[position] ^= flip;
        prop_assert!(Roster::verify(None, &pins, &altered).is_err());

        let mut forged = log.clone();
        let position = byte.index(64);
        forged[entry].signatures[0].signature[position] ^= flip;
        prop_assert!(Roster::verify(None, &pins, &forged).is_err());

        if entry + 1 < log.len() {
            let mut shorter = log.clone();
            shorter.remove(entry);
            prop_assert!(Roster::verify(None, &pins, &shorter).is_err());
            let mut moved = log.clone();
            moved.swap(entry, entry + 1);
            prop_assert!(Roster::verify(None, &pins, &moved).is_err());
        }
    }

    #[test]
    fn tokens_round_trip(secret in "[a-z0-9]{16,40}", until in 0..i64::MAX, pin in any::<[u8; 32]>()) {
        let token = EnrolToken {
            url: "https://hub.example.org:8443".to_owned(),
            ca_sha256: quorate_identity::digest_text(&pin),
            secret: secret.clone(),
            until,
            role: Some(Role::Node),
            name: Some(name("cleveland")),
            genesis: vec![key(1).key_id().clone()],
        };
        let text = token.to_string();
        prop_assert!(text.starts_with("qt1."));
        let shown = format!("{token:?}");
        prop_assert!(!shown.contains(&secret));
        let read = EnrolToken::parse(&format!("  {text}\n")).unwrap();
        prop_assert_eq!(&read, &token);
        prop_assert_eq!(read.ca_pin().unwrap(), pin);
    }

    #[test]
    fn readers_of_foreign_bytes_never_crash(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        prop_assert!(tls::peer(&bytes).is_err());
        prop_assert!(Entry::parse(&bytes).is_err());
        // Damaged, but almost right: the readers may accept or refuse, not crash.
        let request = new_csr("quorate://node/cleveland").unwrap().csr_pem;
        let mut damaged = request.clone().into_bytes();
        let position = at.index(damaged.len());
        damaged[position] = byte;
        let damaged = String::from_utf8_lossy(&damaged);
        let outcome = check_csr(&damaged, Role::Node, &name("cleveland"));
        let unchanged = check_csr(&request, Role::Node, &name("cleveland"));
        prop_assert!(unchanged.is_ok());
        if damaged.contains("BEGIN") && outcome.is_ok() {
            // What still passes still carries its signature: the same public key.
            prop_assert_eq!(outcome.unwrap(), unchanged.unwrap());
        }
        let text = String::from_utf8_lossy(&bytes);
        let trimmed = text.trim();
        prop_assert!(trimmed.is_empty() || parse_log(&text).is_err());
        prop_assert!(tls::certificates(&text).is_err());
    }

    #[test]
    fn arbitrary_text_is_no_token(text in "\\PC*") {
        prop_assert!(EnrolToken::parse(&text).is_err());
        let prefixed = format!("qt1.{text}");
        prop_assert!(EnrolToken::parse(&prefixed).is_err());
    }
}

#[test]
fn a_token_is_refused_when_cut_odd_or_late() {
    let token = EnrolToken {
        url: "https://hub.example.org:8443".to_owned(),
        ca_sha256: quorate_identity::digest_text(&[3; 32]),
        secret: "0123456789abcdef".to_owned(),
        until: NOW,
        role: None,
        name: None,
        genesis: Vec::new(),
    };
    assert_eq!(token.check_time(NOW), Ok(()));
    assert_eq!(token.check_time(NOW + 1), Err(TokenError::Expired));
    let text = token.to_string();
    assert_eq!(
        EnrolToken::parse(text.get(..text.len() - 3).unwrap()),
        Err(TokenError::Damaged)
    );
    assert_eq!(
        EnrolToken::parse(text.trim_start_matches("qt1.")),
        Err(TokenError::NotAToken)
    );
    let odd = |change: fn(&mut EnrolToken)| {
        let mut token = token.clone();
        change(&mut token);
        EnrolToken::parse(&token.to_string())
    };
    assert_eq!(
        odd(|t| t.url = "http://hub".to_owned()),
        Err(TokenError::Field("address"))
    );
    assert_eq!(
        odd(|t| t.ca_sha256 = "sha256:00".to_owned()),
        Err(TokenError::Field("fingerprint"))
    );
    assert_eq!(
        odd(|t| t.secret = "short".to_owned()),
        Err(TokenError::Field("secret"))
    );
}
