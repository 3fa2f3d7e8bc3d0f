//! Trying again: how long to wait, how often, and saying so.

use std::time::Duration;

use super::{ClientError, Event};

/// Pauses between tries: 0.25 s, doubled each time, at most 10 s.
pub(super) struct Pauses {
    tries: Option<u32>,
    made: u32,
}

impl Pauses {
    /// Gives up after so many tries.
    pub(super) fn new(tries: u32) -> Self {
        Self {
            tries: Some(tries),
            made: 0,
        }
    }

    /// Never gives up.
    pub(super) fn endless() -> Self {
        Self {
            tries: None,
            made: 0,
        }
    }

    fn length(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.made.min(8));
        (Duration::from_millis(250) * factor).min(Duration::from_secs(10))
    }

    /// Waits if trying again can help, else gives the error back.
    pub(super) async fn wait(
        &mut self,
        error: ClientError,
        on_event: &mut impl FnMut(Event),
    ) -> Result<(), ClientError> {
        if !error.is_passing() || self.tries.is_some_and(|tries| self.made >= tries) {
            return Err(error);
        }
        let again_in = self.length();
        self.made = self.made.saturating_add(1);
        on_event(Event::Lost {
            why: error.to_string(),
            again_in,
        });
        tokio::time::sleep(again_in).await;
        Ok(())
    }

    /// Waits without an error as the reason.
    pub(super) async fn rest(&mut self) {
        tokio::time::sleep(self.length()).await;
        self.made = self.made.saturating_add(1);
    }

    /// The connection works.
    pub(super) fn back(&mut self, on_event: &mut impl FnMut(Event)) {
        if self.made > 0 {
            on_event(Event::Back);
        }
        self.made = 0;
    }
}
