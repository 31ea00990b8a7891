//! What to do when an address cannot be listened on, the same for every socket of the three programs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use socket2::Type;

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

/// The first descriptor that a service manager hands over (sd_listen_fds(3)).
const FIRST_HANDED_OVER: RawFd = 3;
/// The most that are taken.
const MOST_HANDED_OVER: RawFd = 32;

/// The listening TCP sockets that a service manager has opened for this process (socket activation: `LISTEN_PID`, `LISTEN_FDS`), each
/// once; none where there is no such manager. They are not handed on to programs that this one starts.
///
/// # Errors
/// One of them is no listening TCP socket.
pub fn handed_over() -> io::Result<Vec<TcpListener>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<RawFd>().ok());
    let is_for_us = number("LISTEN_PID").is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id()));
    let count = number("LISTEN_FDS").filter(|_| is_for_us).unwrap_or(0).clamp(0, MOST_HANDED_OVER);
    if count == 0 || TAKEN.swap(true, Relaxed) {
        return Ok(Vec::new());
    }
    (FIRST_HANDED_OVER..FIRST_HANDED_OVER + count).map(take_over).collect()
}

fn take_over(descriptor: RawFd) -> io::Result<TcpListener> {
    let refused =
        |why: String| io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {descriptor} was handed over, and {why}"));
    // SAFETY: fcntl(2) takes any number, and says when it is no descriptor.
    if unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(refused(format!("is none: {}", io::Error::last_os_error())));
    }
    // SAFETY: it is open, the manager has opened it for this process, which takes it once (`TAKEN`), and nothing else here has it.
    let socket = socket2::Socket::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    let is_listening = socket.is_listener().unwrap_or(false) && socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
    if !is_listening || socket.local_addr()?.as_socket().is_none() {
        return Err(refused("is no listening TCP socket: write ListenStream=PORT in the socket unit".to_owned()));
    }
    socket.set_nonblocking(true)?;
    Ok(socket.into())
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
