//! The chain holds, and every way of tampering with it is noticed.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_790_000_000;

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, "cleveland", &key(), NOW).unwrap()
}

fn opening(question: &str) -> Event {
    Event::Open(Box::new(Open {
        question: question.to_owned(),
        ..Open::default()
    }))
}

fn closing(opened: u64, question: &str) -> Event {
    Event::Close(Box::new(Close {
        opened,
        question: question.to_owned(),
        outcome: "answered".to_owned(),
        ..Close::default()
    }))
}

/// A ledger of `n` answered questions.
fn written(n: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    for i in 0..n {
        let question = format!("q{i}");
        let opened = ledger.append(opening(&question), &key(), NOW).unwrap();
        ledger
            .append(closing(opened.seq, &question), &key(), NOW)
            .unwrap();
    }
    let path = folder.path().join(LEDGER_FILE);
    (folder, path)
}

fn check(folder: &tempfile::TempDir) -> Result<Sound, Tampered> {
    verify(folder.path(), Some(key().key_id()), None)
}

#[test]
fn reopening_goes_on_where_it_ended() {
    let (folder, _) = written(2);
    let head = check(&folder).unwrap().head;
    assert_eq!(head.seq, 5);
    let mut ledger = open(folder.path());
    assert_eq!(ledger.head(), &head);
    ledger.append(opening("q9"), &key(), NOW).unwrap();
    let sound = check(&folder).unwrap();
    assert_eq!(sound.open, BTreeMap::from([(6, "q9".to_owned())]));
    assert!(matches!(
        Ledger::open(folder.path(), "cleveland", &key(), NOW),
        Err(LedgerError::InUse)
    ));
}

#[test]
fn a_torn_end_is_cut_off_and_lost_nothing() {
    let (folder, path) = written(1);
    let before = fs::read(&path).unwrap();
    fs::write(&path, [before.as_slice(), b"{\"seq\":4,\"prev"].concat()).unwrap();
    let sound = check(&folder).unwrap();
    assert!(sound.torn);
    drop(open(folder.path()));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn deleting_reordering_and_cutting_off_are_noticed() {
    let (folder, path) = written(3);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let tamper = |lines: &[&str]| {
        fs::write(&path, lines.concat()).unwrap();
        check(&folder)
    };
    assert!(tamper(&lines).is_ok());
    let mut deleted = lines.clone();
    deleted.remove(2);
    assert_eq!(tamper(&deleted), Err(Tampered::Order { line: 3 }));
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    assert_eq!(tamper(&swapped), Err(Tampered::Order { line: 4 }));
    let short = &lines[..5];
    assert_eq!(
        tamper(short),
        Err(Tampered::CutOff {
            found: 5,
            seq: 7,
            witness: "the head file"
        })
    );
    fs::remove_file(folder.path().join(HEAD_FILE)).unwrap();
    assert_eq!(tamper(short), Err(Tampered::NoHead));
    assert!(matches!(
        Ledger::open(folder.path(), "cleveland", &key(), NOW),
        Err(LedgerError::Tampered(_))
    ));
}

#[test]
fn a_rewritten_ledger_is_noticed_by_a_checkpoint_and_a_foreign_one_by_its_key() {
    let (folder, _) = written(2);
    let head = check(&folder).unwrap().head;
    let forged = Head {
        seq: 3,
        hash: "sha256:other".to_owned(),
    };
    let with = |witness: &Head| verify(folder.path(), Some(key().key_id()), Some(witness));
    assert!(with(&head).is_ok());
    assert_eq!(
        with(&forged),
        Err(Tampered::Rewritten {
            seq: 3,
            witness: "the checkpoint"
        })
    );
    let later = Head { seq: 9, ..head };
    assert!(matches!(
        with(&later),
        Err(Tampered::CutOff {
            found: 5,
            seq: 9,
            ..
        })
    ));
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    assert_eq!(
        verify(folder.path(), Some(other.key_id()), None),
        Err(Tampered::Line {
            line: 1,
            why: BadLine::Signature
        })
    );
}

/// A disk that is full after some bytes, as a small partition is.
struct Full(usize, bool);

impl Disk for Full {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(std::io::Error::from(std::io::ErrorKind::StorageFull))?;
        Ok(())
    }
    fn undo(&mut self) -> std::io::Result<()> {
        if self.1 {
            Ok(())
        } else {
            Err(std::io::Error::other("dead disk"))
        }
    }
    fn keep_head(&mut self, _: &Head) -> std::io::Result<()> {
        Ok(())
    }
}

impl Ledger {
    /// From now on the disk takes this many bytes; gives back the disk there was.
    pub(crate) fn fill_disk(&mut self, left: usize) {
        self.disk = Box::new(Full(left, true));
    }
}

#[test]
fn a_full_disk_records_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    ledger.disk = Box::new(Full(100, true));
    let before = ledger.head().clone();
    let failed = ledger.append(opening("q1"), &key(), NOW);
    assert!(matches!(failed, Err(LedgerError::Write(_))));
    assert_eq!(ledger.head(), &before);
    assert!(ledger.unfinished().is_empty());
    ledger.disk = Box::new(Full(100_000, true));
    assert!(ledger.append(opening("q1"), &key(), NOW).is_ok());
    ledger.disk = Box::new(Full(0, false));
    assert!(ledger.append(opening("q2"), &key(), NOW).is_err());
    ledger.disk = Box::new(Full(100_000, true));
    assert!(matches!(
        ledger.append(opening("q2"), &key(), NOW),
        Err(LedgerError::Sealed)
    ));
}

#[test]
fn commitments_tell_nothing_and_differ_by_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let first = ledger.commitment(None, "params", b"4711");
    assert_eq!(first, ledger.commitment(None, "params", b"4711"));
    assert_ne!(first, ledger.commitment(None, "filter", b"4711"));
    let opened = ledger.append(opening("q1"), &key(), NOW).unwrap().seq;
    assert_ne!(first, ledger.commitment(None, "params", b"4711"));
    assert_eq!(first, ledger.commitment(Some(opened), "params", b"4711"));
}

#[test]
fn retention_removes_words_keeps_the_chain_and_says_so() {
    let (folder, path) = written(3);
    let word = "\"q1\""; // in quotes: a signature may hold any two letters
    assert!(fs::read_to_string(&path).unwrap().contains(word));
    let before = check(&folder).unwrap();
    let later = NOW + 400 * 86_400;
    let mut ledger = open(folder.path());
    let opened = ledger.append(opening("q9"), &key(), later).unwrap();
    drop(ledger);
    let retain = |moment| {
        super::retain(
            folder.path(),
            "cleveland",
            &key(),
            (moment, "a year is over"),
            later,
        )
        .unwrap()
    };
    assert_eq!(retain(NOW), 0, "nothing is older");
    assert_eq!(retain(later + 1), 7, "not the question that is open");
    let sound = check(&folder).unwrap();
    assert_eq!((sound.stubs, sound.head.seq), (7, 9));
    assert_eq!(
        sound.tree.root(7),
        before.tree.root(7),
        "every checkpoint fits"
    );
    assert!(sound.open.contains_key(&opened.seq));
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(word) && text.contains("a year is over"));
    assert_eq!(retain(later), 0, "once");
    let mut ledger = open(folder.path());
    ledger
        .append(closing(opened.seq, "q9"), &key(), later)
        .unwrap();
    drop(ledger);
    // Without a record of it, it is an attack.
    let lines: Vec<String> = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let mut emptied = lines.clone();
    emptied[7] = quorate_evidence::line::stub(&lines[7]).unwrap();
    fs::write(&path, emptied.join("\n") + "\n").unwrap();
    assert_eq!(check(&folder), Err(Tampered::Emptied(8)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No byte of a ledger can be changed unnoticed.
    #[test]
    fn any_flipped_byte_is_noticed(at in 0.0_f64..1.0, bit in 0_u8..8) {
        let (folder, path) = written(2);
        let mut bytes = fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
        let index = (at * bytes.len() as f64) as usize;
        bytes[index] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        prop_assert!(check(&folder).is_err());
    }
}
