//! Socket options of the tunnel's outer sockets.
//!
//! **Path MTU.** A sealed packet that is too long for the path has to arrive in fragments: refusing it here
//! (`IP_PMTUDISC_DO`) would drop it without the inner sender hearing of it.
//!
//! - IPv4: `IP_PMTUDISC_OMIT`. Don't Fragment stays clear, so any router may fragment and no filtered ICMP message can make a
//!   black hole; learned path MTUs are ignored, so no forged one can make us send small fragments. A wrongly reassembled
//!   datagram fails its ICV.
//! - IPv6: `IPV6_PMTUDISC_WANT`. Routers cannot fragment; the kernel learns from Packet Too Big and fragments here. Ignoring
//!   these messages would be the black hole. A forged one costs speed only: the floor is 1,280 octets.

use std::ffi::{c_int, c_void};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::net::sockopt;
use socket2::Socket;

use super::{RECEIVE_BUFFER, SEND_BUFFER, SocketOptions};

pub(super) fn set(socket: &Socket, local: SocketAddr, options: &SocketOptions) -> io::Result<()> {
    if let Some(mark) = options.mark {
        socket.set_mark(mark).map_err(|error| explain_mark(&error, mark))?;
    }
    if let Some(device) = &options.device {
        socket.bind_device(Some(device.as_bytes())).map_err(|error| {
            let text = format!("cannot bind a socket to the interface {device:?}: {error}; does it exist (`ip link`)?");
            io::Error::new(error.kind(), text)
        })?;
    }
    set_path_mtu_discovery(socket.as_fd(), local)?;
    set_buffers(socket)
}

/// An error of SO_MARK, with what to do.
pub(crate) fn explain_mark(error: &io::Error, mark: u32) -> io::Error {
    let text = format!("cannot set the firewall mark {mark} on a socket: {error}; run as root or with CAP_NET_ADMIN");
    io::Error::new(error.kind(), text)
}

/// The privileged options pass the administrator's limits (`net.core.rmem_max`); without the right the limits hold.
fn set_buffers(socket: &Socket) -> io::Result<()> {
    if sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    if sockopt::set_socket_send_buffer_size_force(socket, SEND_BUFFER).is_err() {
        socket.set_send_buffer_size(SEND_BUFFER)?;
    }
    Ok(())
}

fn set_path_mtu_discovery(fd: BorrowedFd<'_>, local: SocketAddr) -> io::Result<()> {
    let (level, name, value) = match local {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT),
    };
    let (data, len) = (std::ptr::from_ref::<c_int>(&value).cast::<c_void>(), size_of::<c_int>() as libc::socklen_t);
    // SAFETY: the descriptor is open; both options read one int, and `data` and `len` name one that lives through the call.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, data, len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
