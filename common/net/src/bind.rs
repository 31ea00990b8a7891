//! What to do when an address cannot be listened on, the same for every socket of the three programs.

use std::io;
use std::net::SocketAddr;

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streams.
    Tcp,
    /// Datagrams.
    Udp,
}

/// `cannot bind TCP 192.0.2.1:7872: …; remedy`.
pub fn explain(error: &io::Error, transport: Transport, local: SocketAddr) -> io::Error {
    let name = match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    io::Error::new(error.kind(), format!("cannot bind {name} {local}: {error}; {}", remedy(error, transport, local)))
}

fn remedy(error: &io::Error, transport: Transport, local: SocketAddr) -> String {
    let (ip, port) = (local.ip(), local.port());
    let option = match transport {
        Transport::Tcp => "t",
        Transport::Udp => "u",
    };
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            format!(
                "another program has this port (`ss -{option}lnp 'sport = :{port}'` says which): end it, or choose another port"
            )
        }
        Some(libc::EADDRNOTAVAIL) => format!(
            "no interface has {ip} (see `ip address`), IPv6 is disabled there, or the kernel has not finished checking the address \
             for duplicates"
        ),
        Some(libc::EACCES | libc::EPERM) => "ports below 1024 need root or CAP_NET_BIND_SERVICE".to_owned(),
        Some(libc::EAFNOSUPPORT) => {
            "this kernel runs without that family (ipv6.disable=1?): choose an address of the other".to_owned()
        }
        _ => "check the address and the port".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_to_do() {
        let rows = [
            (libc::EADDRINUSE, "`ss -ulnp 'sport = :7872'` says which"),
            (libc::EADDRNOTAVAIL, "no interface has 2001:db8::1 (see `ip address`)"),
            (libc::EACCES, "CAP_NET_BIND_SERVICE"),
            (libc::EAFNOSUPPORT, "choose an address of the other"),
            (libc::EINVAL, "check the address"),
        ];
        let local = "[2001:db8::1]:7872".parse().unwrap();
        for (number, expected) in rows {
            let error = explain(&io::Error::from_raw_os_error(number), Transport::Udp, local);
            let said = error.to_string();
            assert!(said.starts_with("cannot bind UDP [2001:db8::1]:7872: ") && said.contains(expected), "{said}");
        }
        let error = explain(&io::Error::from_raw_os_error(libc::EADDRINUSE), Transport::Tcp, local);
        assert!(
            error.kind() == io::ErrorKind::AddrInUse && error.to_string().contains("TCP") && error.to_string().contains("-tlnp")
        );
    }
}
