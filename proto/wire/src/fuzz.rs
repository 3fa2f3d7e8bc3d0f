//! The fuzz entry point: every decoder on arbitrary bytes.

use crate::open::Payload;
use crate::{
    AnswerPayload, Checkpoint, EnrolPayload, Hello, QuestionPayload, RefusalPayload, ResultPayload,
    Stamp, signed_from_bytes, signed_to_bytes,
};

/// Feeds bytes to every decoder and says how many accepted them. What one accepts must survive
/// a round trip: `None` is a finding. A committed corpus is replayed by a test.
#[must_use]
pub fn fuzz_wire(bytes: &[u8]) -> Option<usize> {
    let envelope = match signed_from_bytes(bytes) {
        Ok(signed) => usize::from(signed_from_bytes(&signed_to_bytes(&signed)).ok()? == signed),
        Err(_) => 0,
    };
    let payloads = [
        stable::<QuestionPayload>(bytes)?,
        stable::<AnswerPayload>(bytes)?,
        stable::<RefusalPayload>(bytes)?,
        stable::<ResultPayload>(bytes)?,
        stable::<Hello>(bytes)?,
        stable::<Stamp>(bytes)?,
        stable::<Checkpoint>(bytes)?,
        stable::<EnrolPayload>(bytes)?,
    ];
    Some(envelope + payloads.iter().sum::<usize>())
}

/// 0 if refused, 1 if accepted and stable, `None` if accepted and changed by a round trip.
fn stable<P: Payload + PartialEq>(bytes: &[u8]) -> Option<usize> {
    match P::decode(bytes) {
        Ok(payload) => (P::decode(&payload.encode()).ok()? == payload).then_some(1),
        Err(_) => Some(0),
    }
}
