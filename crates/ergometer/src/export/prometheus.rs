//! Figures in Prometheus' text format, at an address of this machine.

mod text;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::thread;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;
use tiny_http::{Header, Method, Request, Response, Server};

use super::Subject;
use crate::{Error, ErrorKind, Result};

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

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

/// The address, and the thread that answers there until this is dropped.
pub(super) struct Endpoint {
    server: Arc<Server>,
    address: SocketAddr,
    /// Why it no longer answers.
    ended: Arc<OnceLock<io::Error>>,
    /// The process whose thread answers; a forked child's closes nothing.
    process: u32,
}

impl Endpoint {
    pub(super) fn start(listener: TcpListener, subject: Arc<Subject>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let server = Arc::new(Server::from_listener(listener, None).map_err(io::Error::other)?);
        let ended = Arc::new(OnceLock::new());
        let thread = Thread {
            server: Arc::clone(&server),
            registry: text::registry(subject),
            ended: Arc::clone(&ended),
        };
        thread::Builder::new()
            .name("ergometer prometheus".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self { server, address, ended, process: std::process::id() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn warning(&self) -> Option<String> {
        let error = self.ended.get()?;
        Some(format!("figures for Prometheus were no longer shown at {}: {error}", self.address))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.server.unblock();
        } else {
            // Its drop would knock at the parent's door.
            std::mem::forget(Arc::clone(&self.server));
        }
    }
}

/// The answering thread's own.
struct Thread {
    server: Arc<Server>,
    registry: Registry,
    ended: Arc<OnceLock<io::Error>>,
}

impl Thread {
    fn run(self) {
        loop {
            match self.server.recv() {
                Ok(request) => {
                    // Who asked may be gone.
                    let _ = answer(request, &self.registry);
                }
                Err(error) => {
                    let _ = self.ended.set(error);
                    return;
                }
            }
        }
    }
}

fn answer(request: Request, registry: &Registry) -> io::Result<()> {
    let path = request.url().split('?').next().unwrap_or_default();
    match (request.method(), path) {
        (Method::Get | Method::Head, "/metrics" | "/") => {
            let header = Header::from_bytes("Content-Type", CONTENT_TYPE);
            let mut text = String::new();
            // Without the end mark, which is OpenMetrics'.
            encode_registry(&mut text, registry).map_err(io::Error::other)?;
            let mut response = Response::from_string(text);
            response.add_header(header.map_err(|()| io::Error::other("no header"))?);
            request.respond(response)
        }
        (Method::Get | Method::Head, _) => {
            request.respond(Response::from_string("see /metrics\n").with_status_code(404))
        }
        _ => request.respond(Response::empty(405)),
    }
}
