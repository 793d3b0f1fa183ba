//! One request, one answer.
//!
//! As much of HTTP/1.1 as a reader of figures needs: `GET` and `HEAD`, no body, and the connection is
//! closed after the answer (RFC 9112, 9.6). `httparse` reads the request. One that names a host which is not
//! this machine is refused, see [`host`](super::host).

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

use super::host;
use crate::deadline::Deadline;
use crate::source;

/// How long one may take to ask, and how long to take the answer.
const LIMIT: Duration = Duration::from_secs(2);
/// No reader of figures sends a longer request.
const LONGEST: usize = 8192;
const MOST_HEADERS: usize = 64;

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: String,
    /// Only the head is wanted.
    head: bool,
}

impl Answer {
    fn plain(status: &'static str, body: &str) -> Self {
        Self { status, content_type: PLAIN, body: body.to_owned(), head: false }
    }
}

/// Reads a request and answers it.
pub(super) fn answer(mut stream: TcpStream, registry: &Registry) -> io::Result<()> {
    let request = read(&mut stream)?;
    let local = stream.local_addr()?;
    let machine = source::host::name(Path::new("/proc"));
    let machine = machine.as_deref();
    let Answer { status, content_type, body, head } = match request {
        Some(request) if request.hosts.len() > 1 => {
            Answer::plain("400 Bad Request", "more than one host\n")
        }
        Some(request) if !request.hosts.iter().all(|name| host::is_own(name, local, machine)) => {
            Answer::plain(
                "421 Misdirected Request",
                "this is not the host that was asked for: use localhost, this machine's name or its \
                 address\n",
            )
        }
        Some(request) => find(&request.method, &request.target, registry),
        None => Answer::plain("400 Bad Request", "not a request\n"),
    };
    let length = body.len();
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    if !head {
        text.push_str(&body);
    }
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)
}

struct Request {
    method: String,
    target: String,
    /// The values of its `Host` headers; HTTP/1.0 needs none.
    hosts: Vec<String>,
}

impl Request {
    fn of(parsed: &httparse::Request<'_, '_>) -> Option<Self> {
        let named = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
        let hosts = named.map(|header| String::from_utf8_lossy(header.value).trim().to_owned());
        Some(Self {
            method: parsed.method?.to_owned(),
            target: parsed.path?.to_owned(),
            hosts: hosts.collect(),
        })
    }
}

/// The request; `None` of what is not one.
fn read(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut deadline = Deadline::after(LIMIT);
    let mut read = Vec::new();
    loop {
        let slice = deadline.slice();
        if slice.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(slice))?;
        let mut some = [0; 1024];
        let count = match stream.read(&mut some) {
            Err(error) if is_timeout(&error) => continue,
            read => read?,
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&some[..count]);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&read) {
            Ok(httparse::Status::Complete(_)) => {
                return Ok(Request::of(&request));
            }
            Ok(httparse::Status::Partial) if read.len() < LONGEST => {}
            Ok(httparse::Status::Partial) | Err(_) => return Ok(None),
        }
    }
}

/// Unix and Windows name it differently ([`TcpStream::set_read_timeout`]).
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn find(method: &str, target: &str, registry: &Registry) -> Answer {
    if !matches!(method, "GET" | "HEAD") {
        return Answer::plain("405 Method Not Allowed", "GET is what is answered\n");
    }
    let path = target.split('?').next().unwrap_or_default();
    if !matches!(path, "/" | "/metrics") {
        return Answer::plain("404 Not Found", "see /metrics\n");
    }
    let mut body = String::new();
    // Without the end mark, which is OpenMetrics'.
    match encode_registry(&mut body, registry) {
        Ok(()) => Answer { status: "200 OK", content_type: TEXT, body, head: method == "HEAD" },
        Err(_) => Answer::plain("500 Internal Server Error", "the figures cannot be written\n"),
    }
}
