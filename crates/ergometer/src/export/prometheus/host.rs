//! Whom a request may name as its host.
//!
//! A page in a browser may make requests to names of its own, and have its name server point them at this
//! machine (DNS rebinding): its requests then name that host. So names are answered that no stranger's
//! name server can give out.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Whether a request that names `host` (with or without a port) is for the address it was sent to, `local`.
///
/// * At a loopback address: `localhost`, names below it, and loopback addresses.
/// * At another, which the user chose to be reached from other machines: also every IP address, which needs
///   no name server; names without a dot, which only the local network's gives out; and names that begin
///   with this machine's own, `machine`.
pub(super) fn is_own(host: &str, local: SocketAddr, machine: Option<&str>) -> bool {
    let Some(name) = without_port(host) else { return false };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    if let Some(address) = address(&name) {
        return address.is_loopback() || !local.ip().is_loopback();
    }
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_local =
        !name.contains('.') || machine.is_some_and(|machine| first(machine) == first(&name));
    is_local && !name.is_empty() && !local.ip().to_canonical().is_loopback()
}

fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rfind(']') {
        Some(end) => host.split_at(end + 1),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

fn address(name: &str) -> Option<IpAddr> {
    let address = match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.into(),
        None => name.parse::<IpAddr>().ok()?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_no_stranger_gives_out_are_answered() {
        let here: SocketAddr = "127.0.0.1:9184".parse().unwrap();
        let there: SocketAddr = "10.0.0.7:9184".parse().unwrap();
        for (host, at_loopback, at_address) in [
            ("localhost", true, true),
            ("LOCALHOST:9184", true, true),
            ("localhost.:80", true, true),
            ("train.localhost", true, true),
            ("127.0.0.1:9184", true, true),
            ("127.8.8.8", true, true),
            ("[::1]:9184", true, true),
            ("[::ffff:127.0.0.1]", true, true),
            ("10.0.0.7:9184", false, true),
            ("192.0.2.1", false, true),
            ("[fe80::1]:9184", false, true),
            ("node7:9184", false, true),
            ("node7.cluster.example:9184", false, true),
            ("trainer", false, true),
            ("evil.example:9184", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("evil.example@localhost", false, false),
            ("localhost:x", false, false),
            ("[::1", false, false),
            ("", false, false),
            (":9184", false, false),
        ] {
            assert_eq!(is_own(host, here, Some("node7")), at_loopback, "{host} at {here}");
            assert_eq!(is_own(host, there, Some("node7.other")), at_address, "{host} at {there}");
        }
    }
}
