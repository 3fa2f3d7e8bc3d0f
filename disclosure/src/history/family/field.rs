//! Arithmetic modulo the prime 2^61 - 1: exact where fractions would grow. What it must not know:
//! what the numbers stand for.

/// The prime.
const P: u64 = (1 << 61) - 1;

/// A number modulo the prime, always below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::history) struct Fp(u64);

impl Fp {
    pub(in crate::history) const ZERO: Self = Self(0);
    pub(in crate::history) const ONE: Self = Self(1);

    /// A whole number.
    pub(in crate::history) fn of(number: i128) -> Self {
        Self(u64::try_from(number.rem_euclid(i128::from(P))).unwrap_or(0))
    }

    /// The least whole number that it stands for.
    pub(in crate::history) fn least(self) -> u64 {
        self.0
    }

    /// The size of the whole number nearest to zero that it stands for.
    pub(in crate::history) fn size(self) -> u64 {
        self.0.min(P.saturating_sub(self.0))
    }

    /// A fixed weight for the n-th place, as if drawn at random; never zero.
    pub(in crate::history) fn weight(place: usize) -> Self {
        // The finaliser of SplitMix64 mixes the bits of a counter.
        let mut z = u64::try_from(place)
            .unwrap_or(0)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) % (P - 1) + 1)
    }

    pub(in crate::history) fn plus(self, other: Self) -> Self {
        let sum = self.0.wrapping_add(other.0);
        // Less the prime it is the smaller number, unless that wraps around.
        Self(sum.min(sum.wrapping_sub(P)))
    }

    pub(in crate::history) fn minus(self, other: Self) -> Self {
        let less = self.0.wrapping_sub(other.0);
        Self(less.min(less.wrapping_add(P)))
    }

    pub(in crate::history) fn times(self, other: Self) -> Self {
        let product = u128::from(self.0) * u128::from(other.0);
        let low = u64::try_from(product & u128::from(P)).unwrap_or(0);
        let high = u64::try_from(product >> 61).unwrap_or(0);
        Self(low).plus(Self(high))
    }

    /// As many numbers as can be added up before [`Self::settled`].
    pub(in crate::history) const ADDED: usize = 7;

    /// Adds another without bringing the sum below the prime: not more than [`Self::ADDED`] times.
    pub(in crate::history) fn gather(sum: &mut u64, other: Self) {
        *sum = sum.wrapping_add(other.0);
    }

    /// What was gathered.
    pub(in crate::history) fn settled(sum: u64) -> Self {
        let folded = (sum & P) + (sum >> 61);
        Self(if folded >= P { folded - P } else { folded })
    }

    /// One divided by it; zero has no such number and gives zero.
    pub(in crate::history) fn inverse(self) -> Self {
        // Fermat: x^(p-2) is the inverse of x.
        let (mut result, mut square, mut exponent) = (Self::ONE, self, P - 2);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result.times(square);
            }
            square = square.times(square);
            exponent >>= 1;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use proptest::prelude::*;

    fn big(x: Fp) -> BigInt {
        BigInt::from(x.least())
    }

    proptest! {
        #[test]
        fn agrees_with_whole_numbers_of_any_size(a in any::<i128>(), b in any::<i128>()) {
            let p = BigInt::from(P);
            let same = |fp: Fp, exact: BigInt| ((big(fp) - exact) % &p) == BigInt::ZERO;
            let (x, y) = (Fp::of(a), Fp::of(b));
            prop_assert!(same(x, BigInt::from(a)));
            prop_assert!(same(x.plus(y), BigInt::from(a) + b));
            prop_assert!(same(x.minus(y), BigInt::from(a) - b));
            prop_assert!(same(x.times(y), BigInt::from(a) * b));
            prop_assert!(x.plus(y).least() < P && x.minus(y).least() < P && x.times(y).least() < P);
            if x != Fp::ZERO {
                prop_assert_eq!(x.times(x.inverse()), Fp::ONE);
            }
        }
    }

    #[test]
    fn weights_differ() {
        let weights: std::collections::BTreeSet<Fp> = (0..5000).map(Fp::weight).collect();
        assert_eq!(weights.len(), 5000);
        assert!(!weights.contains(&Fp::ZERO));
    }
}
