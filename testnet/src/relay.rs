//! A relay on loopback between one party and the coordinator: delay, rate, cut.
//!
//! It forwards bytes and understands none of them, as the wires between two institutions do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// Quality of a link; zero means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Delay in each direction, in milliseconds.
    pub latency_ms: u64,
    /// Throughput in each direction, in kilobits a second.
    pub rate_kbps: u64,
}

/// A running relay. It stops taking connections when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    latency_ms: AtomicU64,
    rate_kbps: AtomicU64,
    open: AtomicBool,
    gone: AtomicBool,
    bytes: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

/// Chunks in flight per direction before the sender has to wait.
const IN_FLIGHT: usize = 1024;

impl Relay {
    /// Opens a port on loopback that leads to `target`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn open(target: SocketAddr, link: Link) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            latency_ms: AtomicU64::new(link.latency_ms),
            rate_kbps: AtomicU64::new(link.rate_kbps),
            open: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            streams: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { address, shared })
    }

    /// Where the relay listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections somewhere else.
    pub fn lead_to(&self, target: SocketAddr) {
        *self
            .shared
            .target
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Changes the quality of the link, also of open connections.
    pub fn set(&self, link: Link) {
        self.shared
            .latency_ms
            .store(link.latency_ms, Ordering::Relaxed);
        self.shared
            .rate_kbps
            .store(link.rate_kbps, Ordering::Relaxed);
    }

    /// Cuts every connection and refuses new ones.
    pub fn cut(&self) {
        self.shared.open.store(false, Ordering::Relaxed);
        self.shared.close_all();
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.shared.open.store(true, Ordering::Relaxed);
    }

    /// Bytes forwarded so far, both directions together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::Relaxed);
        self.cut();
        // wakes the accepting thread, so that it sees that it is no longer wanted
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn close_all(&self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn keep(&self, stream: &TcpStream) {
        if let Ok(copy) = stream.try_clone() {
            self.streams
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(copy);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.gone.load(Ordering::Relaxed) {
            return;
        }
        let Ok(near) = stream else { continue };
        if shared.open.load(Ordering::Relaxed) {
            connect(near, shared);
        }
    }
}

/// Joins a new connection with the target; a dead target closes it, as a dead host would.
fn connect(near: TcpStream, shared: &Arc<Shared>) {
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(far) = TcpStream::connect_timeout(&target, Duration::from_secs(2)) else {
        return;
    };
    for stream in [&near, &far] {
        drop(stream.set_nodelay(true));
        shared.keep(stream);
    }
    let (Ok(near_out), Ok(far_out)) = (near.try_clone(), far.try_clone()) else {
        return;
    };
    direction(near, far_out, shared);
    direction(far, near_out, shared);
}

fn direction(from: TcpStream, to: TcpStream, shared: &Arc<Shared>) {
    let (send, receive) = sync_channel(IN_FLIGHT);
    std::thread::spawn(move || take(from, &send));
    let shared = Arc::clone(shared);
    std::thread::spawn(move || give(to, &receive, &shared));
}

/// A piece of the stream and when it came in.
type Chunk = (Instant, Vec<u8>);

fn take(mut from: TcpStream, send: &SyncSender<Chunk>) {
    let mut buffer = [0_u8; 8192];
    while let Ok(read) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return;
        };
        if send.send((clock::now(), bytes.to_vec())).is_err() {
            return;
        }
    }
}

fn give(mut to: TcpStream, receive: &Receiver<Chunk>, shared: &Shared) {
    for (came, bytes) in receive {
        let latency = Duration::from_millis(shared.latency_ms.load(Ordering::Relaxed));
        std::thread::sleep((came + latency).saturating_duration_since(clock::now()));
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let rate = shared.rate_kbps.load(Ordering::Relaxed);
        if let Some(micros) = size.saturating_mul(8_000).checked_div(rate) {
            std::thread::sleep(Duration::from_micros(micros));
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
        shared.bytes.fetch_add(size, Ordering::Relaxed);
    }
    drop(to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0_u8; 1024];
                    while let Ok(read) = stream.read(&mut buffer) {
                        if read == 0 || stream.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn ping(stream: &mut TcpStream) -> std::io::Result<Duration> {
        let start = clock::now();
        stream.write_all(b"ping")?;
        let mut back = [0_u8; 4];
        stream.read_exact(&mut back)?;
        assert_eq!(&back, b"ping");
        Ok(start.elapsed())
    }

    #[test]
    fn delay_goes_both_ways_and_can_be_changed() {
        let relay = Relay::open(
            echo(),
            Link {
                latency_ms: 60,
                rate_kbps: 0,
            },
        )
        .unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        assert!(ping(&mut stream).unwrap() >= Duration::from_millis(120));
        relay.set(Link::default());
        let fast = || (ping(&mut stream).unwrap() < Duration::from_millis(120)).then_some(());
        assert!(clock::wait_for(Duration::from_secs(2), fast).is_some());
        let counted = || (relay.bytes() >= 16).then_some(());
        assert!(clock::wait_for(Duration::from_secs(2), counted).is_some());
    }

    #[test]
    fn a_cut_link_is_dead_until_it_is_mended() {
        let relay = Relay::open(echo(), Link::default()).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        ping(&mut stream).unwrap();
        relay.cut();
        assert!(ping(&mut stream).is_err());
        let mut refused = TcpStream::connect(relay.address()).unwrap();
        assert!(ping(&mut refused).is_err());
        relay.mend();
        ping(&mut TcpStream::connect(relay.address()).unwrap()).unwrap();
    }
}
