//! A connection and what it may hold: one slot until it ends. Strangers, who have no certificate
//! and may only enrol, have few slots and little time, so that they cannot keep members out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// Connections of members at the same time.
const MEMBERS: usize = 4096;
/// Connections of strangers at the same time.
const STRANGERS: usize = 64;
/// How long a stranger's connection lasts: enrolling takes a second.
const STRANGER_TIME: Duration = Duration::from_secs(30);

/// The slots of one port.
#[derive(Clone)]
pub(super) struct Slots {
    members: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Slots {
    /// All of them free.
    pub(super) fn new() -> Self {
        Self {
            members: Arc::new(Semaphore::new(MEMBERS)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        }
    }

    /// A slot for a connection whose handshake is done; none if its kind has none left.
    pub(super) fn seat(&self, stream: TlsStream<TcpStream>) -> Option<Seated> {
        let certified = stream.get_ref().1.peer_certificates().is_some();
        let kind = if certified {
            &self.members
        } else {
            &self.strangers
        };
        let slot = Arc::clone(kind).try_acquire_owned().ok()?;
        let end = (!certified).then(|| Box::pin(sleep(STRANGER_TIME)));
        Some(Seated {
            stream,
            end,
            _slot: slot,
        })
    }
}

/// A connection that holds its slot.
pub(super) struct Seated {
    stream: TlsStream<TcpStream>,
    end: Option<Pin<Box<Sleep>>>,
    _slot: OwnedSemaphorePermit,
}

impl Connected for Seated {
    type ConnectInfo = <TlsStream<TcpStream> as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
