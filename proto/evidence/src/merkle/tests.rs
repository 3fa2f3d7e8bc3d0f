//! The tree against published vectors, against the definition, and against forgers.

use proptest::prelude::*;

use super::*;

/// The eight leaves of the reference implementation of Certificate Transparency, in hexadecimal.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
/// The roots over the first one, two, ... of them.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const F: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

fn hash(text: &str) -> Hash {
    Hash(hex::decode(text).unwrap().try_into().unwrap())
}

fn published() -> Tree {
    let mut tree = Tree::default();
    for leaf in LEAVES {
        tree.push(&hex::decode(leaf).unwrap());
    }
    tree
}

fn tree(leaves: u64) -> Tree {
    let mut tree = Tree::default();
    (0..leaves).for_each(|i| tree.push(&i.to_be_bytes()));
    tree
}

/// The definition of RFC 6962, word by word.
fn defined(leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => Hash::empty(),
        [one] => Hash::leaf(one),
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            Hash::pair(&defined(&many[..k]), &defined(&many[k..]))
        }
    }
}

#[test]
fn roots_are_the_published_ones() {
    let tree = published();
    for (size, root) in (1..).zip(ROOTS) {
        assert_eq!(tree.root(size), Some(hash(root)), "{size} leaves");
    }
    assert_eq!(tree.root(9), None);
}

#[test]
fn proofs_are_the_published_ones() {
    let tree = published();
    let path = |hashes: &[&str]| hashes.iter().map(|text| hash(text)).collect::<Vec<_>>();
    let inclusion = |index, size| tree.inclusion(index, size).unwrap().path;
    assert_eq!(inclusion(0, 1), path(&[]));
    assert_eq!(inclusion(0, 8), path(&[A, B, C]));
    assert_eq!(inclusion(5, 8), path(&[D, E, ROOTS[3]]));
    assert_eq!(inclusion(2, 3), path(&[ROOTS[1]]));
    assert_eq!(inclusion(1, 5), path(&[ROOTS[0], B, D]));
    let consistency = |from, to| tree.consistency(from, to).unwrap().path;
    assert_eq!(consistency(1, 1), path(&[]));
    assert_eq!(consistency(1, 8), path(&[A, B, C]));
    assert_eq!(consistency(6, 8), path(&[F, E, ROOTS[3]]));
    assert_eq!(consistency(2, 5), path(&[B, D]));
}

#[test]
fn every_proof_of_small_trees_holds_and_no_other_does() {
    let tree = tree(20);
    let root = |size| tree.root(size).unwrap();
    for size in 1..=20 {
        for index in 0..size {
            let proof = tree.inclusion(index, size).unwrap();
            for claimed in 0..size {
                let checked = proof.check(&claimed.to_be_bytes(), &root(size));
                assert_eq!(checked.is_ok(), claimed == index, "{index} of {size}");
            }
        }
        for from in 1..=size {
            let proof = tree.consistency(from, size).unwrap();
            assert_eq!(proof.check(&root(from), &root(size)), Ok(()));
            for other in (1..=20).filter(|other| *other != from) {
                assert!(proof.check(&root(other), &root(size)).is_err());
            }
        }
    }
    assert_eq!(tree.inclusion(3, 3), None);
    assert_eq!(tree.inclusion(3, 21), None);
    assert_eq!(tree.consistency(0, 3), None);
    assert_eq!(tree.consistency(4, 3), None);
}

proptest! {
    /// The quick way is the definition, at every size that the tree ever had.
    #[test]
    fn the_tree_is_as_defined(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..70), at in 0.0_f64..=1.0) {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(leaf));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short list")]
        let size = (at * leaves.len() as f64) as usize;
        prop_assert_eq!(tree.root(size as u64), Some(defined(&leaves[..size])));
    }

    /// A ledger that was changed anywhere before the earlier root has no proof that continues it.
    #[test]
    fn a_rewritten_past_has_no_proof(size in 2_u64..200, cut in 0.0_f64..1.0, changed in 0.0_f64..1.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short list")]
        let place = |part: f64, of: u64| (part * of as f64) as u64;
        let from = 1 + place(cut, size - 1);
        let changed = place(changed, from);
        let honest = tree(size);
        let mut forged = Tree::default();
        (0..size).for_each(|i| forged.push(&(if i == changed { i + 1_000 } else { i }).to_be_bytes()));
        let kept = honest.root(from).unwrap();
        let shown = forged.root(size).unwrap();
        for proof in [honest.consistency(from, size), forged.consistency(from, size)] {
            prop_assert!(proof.unwrap().check(&kept, &shown).is_err());
        }
    }

    /// No hash of a proof can be changed, left out or added.
    #[test]
    fn a_bent_proof_is_refused(size in 2_u64..100, index in 0.0_f64..1.0, at in any::<prop::sample::Index>(), bit in 0_u8..8, how in 0_u8..3) {
        let tree = tree(size);
        let root = tree.root(size).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short list")]
        let index = (index * size as f64) as u64;
        let bend = |path: &mut Vec<Hash>| {
            let place = at.index(path.len());
            match how {
                0 => path[place].0[usize::from(bit)] ^= 1 << bit,
                1 => drop(path.remove(place)),
                _ => path.insert(place, Hash::empty()),
            }
        };
        let mut proof = tree.inclusion(index, size).unwrap();
        bend(&mut proof.path);
        prop_assert!(proof.check(&index.to_be_bytes(), &root).is_err());
        let from = (index + 1).min(size - 1);
        let mut proof = tree.consistency(from, size).unwrap();
        bend(&mut proof.path);
        prop_assert!(proof.check(&tree.root(from).unwrap(), &root).is_err());
    }
}
