//! Bytes of records at rest: fields with their lengths, read back strictly. It must not know what
//! the fields mean.

use std::collections::BTreeSet;

use quorate_query::number::Number;
use roaring::RoaringBitmap;

/// Appends fields.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    pub(super) fn u32(&mut self, n: u32) {
        self.0.extend(n.to_be_bytes());
    }

    pub(super) fn u64(&mut self, n: u64) {
        self.0.extend(n.to_be_bytes());
    }

    pub(super) fn i64(&mut self, n: i64) {
        self.0.extend(n.to_be_bytes());
    }

    pub(super) fn i128(&mut self, n: i128) {
        self.0.extend(n.to_be_bytes());
    }

    pub(super) fn digest(&mut self, digest: &[u8; 32]) {
        self.0.extend(digest);
    }

    /// A length; nothing that is kept comes near four thousand million.
    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend(bytes);
    }

    pub(super) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.length(items.len());
        items.for_each(|item| write(self, item));
    }

    pub(super) fn number(&mut self, number: &Number) {
        self.i128(number.mantissa());
        self.0.extend(number.exponent().to_be_bytes());
    }

    pub(super) fn people(&mut self, people: &RoaringBitmap) {
        self.length(people.serialized_size());
        // Writing to memory cannot fail.
        let _ = people.serialize_into(&mut self.0);
    }
}

/// Reads fields; `None` if they are not there.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn i128(&mut self) -> Option<i128> {
        self.array().map(i128::from_be_bytes)
    }

    pub(super) fn digest(&mut self) -> Option<[u8; 32]> {
        self.array()
    }

    fn run(&mut self) -> Option<&[u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (run, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(run)
    }

    pub(super) fn bytes(&mut self) -> Option<&[u8]> {
        self.run()
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.run()?.to_vec()).ok()
    }

    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let length = self.u32()?;
        (0..length).map(|_| read(self)).collect()
    }

    pub(super) fn texts(&mut self) -> Option<BTreeSet<String>> {
        Some(self.list(Self::text)?.into_iter().collect())
    }

    pub(super) fn number(&mut self) -> Option<Number> {
        let mantissa = self.i128()?;
        let exponent = self.array().map(i32::from_be_bytes)?;
        Some(Number::new(mantissa, exponent))
    }

    pub(super) fn people(&mut self) -> Option<RoaringBitmap> {
        RoaringBitmap::deserialize_from(self.run()?).ok()
    }
}

/// Fills up to one of few lengths, so that a sealed record does not tell how many persons it is
/// about: at least 1 KiB, then steps of an eighth to a sixteenth of the length.
pub(crate) fn pad(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len().saturating_add(1).max(1024);
    let step = (length.next_power_of_two() / 16).max(1);
    bytes.push(1);
    bytes.resize(length.div_ceil(step).saturating_mul(step), 0);
    bytes
}

/// Takes the filling off again.
pub(crate) fn unpad(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().rposition(|byte| *byte != 0)?;
    let (content, rest) = bytes.split_at_checked(end)?;
    (rest.first() == Some(&1)).then_some(content)
}
