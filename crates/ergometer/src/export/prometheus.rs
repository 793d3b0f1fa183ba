//! Figures in Prometheus' text format, at an address of this machine.

mod host;
mod http;
mod text;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus_client::registry::Registry;

use super::Subject;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Result};

/// This many connections are answered at a time; those that hang give way after `http::DEADLINE`.
const MOST_CONNECTIONS: usize = 64;
/// How long a drop waits for the address to be let go; the thread may be pausing just then.
const LET_GO: Duration = Duration::from_secs(1);
/// Before another try, where no connection could be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// Where [`MeterBuilder::prometheus`](crate::MeterBuilder::prometheus) shows figures: a port of the
/// loopback address, or an address with a port.
///
/// ```
/// use ergometer::export::Listen;
///
/// let here_alone = Listen::from(9184);
/// assert_eq!(here_alone, Listen::from(([127, 0, 0, 1], 9184)));
/// // Every machine that reaches this one may read it there.
/// let from_anywhere = Listen::from(([0, 0, 0, 0], 9184));
/// # assert_ne!(here_alone, from_anywhere);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(SocketAddr);

impl From<u16> for Listen {
    fn from(port: u16) -> Self {
        Self(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl<A: Into<IpAddr>> From<(A, u16)> for Listen {
    fn from(address: (A, u16)) -> Self {
        Self(address.into())
    }
}

impl Listen {
    /// Takes hold of the address, so that another who has it is known at once.
    pub(super) fn open(self) -> Result<TcpListener> {
        TcpListener::bind(self.0).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "name another port to `MeterBuilder::prometheus`, or 0 to be given one: each \
                     process of a machine needs its own"
                }
                io::ErrorKind::PermissionDenied => "name a port above 1023",
                _ => "name an address of this machine",
            };
            let message = format!("figures cannot be shown at {}: {error}", self.0);
            Error::new(ErrorKind::Network, message).with_remedy(remedy).with_source(error)
        })
    }
}

/// The address, and the thread that waits for connections until this is dropped.
pub(super) struct Endpoint {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    ended: Arc<AtomicBool>,
    troubles: Arc<OnceLock<io::Error>>,
    /// The process whose thread waits; a forked child closes nothing.
    process: u32,
    /// Disconnected once the thread has let go of the address.
    closed: Mutex<Receiver<()>>,
}

impl Endpoint {
    pub(super) fn start(listener: TcpListener, subject: Arc<Subject>) -> io::Result<Self> {
        let (open, closed) = mpsc::channel();
        let listener = Arc::new(listener);
        let endpoint = Self {
            closed: Mutex::new(closed),
            address: listener.local_addr()?,
            listener: Arc::clone(&listener),
            ended: Arc::default(),
            troubles: Arc::default(),
            process: std::process::id(),
        };
        let thread = Thread {
            listener,
            registry: Arc::new(text::registry(subject)),
            ended: Arc::clone(&endpoint.ended),
            troubles: Arc::clone(&endpoint.troubles),
            connections: Arc::default(),
            _open: open,
        };
        thread::Builder::new()
            .name("ergometer prometheus".to_owned())
            .spawn(move || thread.run())?;
        Ok(endpoint)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What kept Prometheus from being answered, if anything did.
    pub(super) fn warning(&self) -> Option<String> {
        let error = self.troubles.get()?;
        Some(format!("figures could not always be read at {}: {error}", self.address))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        self.ended.store(true, Ordering::Release);
        // Whoever starts the next run expects to find the address free.
        if !stop_listening(&self.listener) {
            self.connect();
        }
        let closed = self.closed.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = Deadline::after(LET_GO).recv(closed);
    }
}

impl Endpoint {
    /// The thread waits for a connection: this is one.
    fn connect(&self) {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let _ = TcpStream::connect_timeout(&address, PAUSE);
    }
}

/// Frees the address, and ends the thread's wait for a connection; `false` where the system cannot.
///
/// Closing the socket would not do: every process that is forked or started holds a copy of it, for as long
/// as it lives or until it runs its program.
fn stop_listening(listener: &TcpListener) -> bool {
    #[cfg(unix)]
    return rustix::net::shutdown(listener, rustix::net::Shutdown::Both).is_ok();
    #[cfg(not(unix))]
    {
        let _ = listener;
        false
    }
}

/// The waiting thread's own.
struct Thread {
    listener: Arc<TcpListener>,
    registry: Arc<Registry>,
    ended: Arc<AtomicBool>,
    troubles: Arc<OnceLock<io::Error>>,
    /// Held once by each connection that is being answered.
    connections: Arc<()>,
    /// Dropped after the listener, as fields are in the order of their declaration.
    _open: Sender<()>,
}

impl Thread {
    /// Each connection is answered on a thread of its own, because it is not known beforehand which one hangs.
    fn run(self) {
        loop {
            let accepted = self.listener.accept();
            if self.ended.load(Ordering::Acquire) {
                return;
            }
            let begun = accepted.and_then(|(stream, _)| {
                if Arc::strong_count(&self.connections) > MOST_CONNECTIONS {
                    return Err(io::Error::other(format!(
                        "more than {MOST_CONNECTIONS} connections at once"
                    )));
                }
                let registry = Arc::clone(&self.registry);
                let held = Arc::clone(&self.connections);
                let answer = move || {
                    // Who asked may be gone, or never ask.
                    let _ = http::answer(stream, &registry);
                    drop(held);
                };
                thread::Builder::new().name("ergometer scrape".to_owned()).spawn(answer)
            });
            if let Err(error) = begun {
                let _ = self.troubles.set(error);
                // Out of threads or of file descriptors: not at once again.
                thread::sleep(PAUSE);
            }
        }
    }
}
