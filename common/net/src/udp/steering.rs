//! Which of several sockets at one port gets a datagram: a classic BPF program asks the SPI that it names, without any privilege.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroU8;
use std::os::fd::AsRawFd;

use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_K, BPF_LD, BPF_MOD, BPF_RET, BPF_W, sock_filter, sock_fprog};
use protocol::sa::Spi;
use socket2::Socket;

/// What RET returns is the accumulator (linux/filter.h).
const BPF_A: u32 = 0x10;

/// Has the sockets at the port of `socket`, which are `count`, get the datagrams of [`Share::all_of`](protocol::tunnel::Share::all_of)
/// that count, in the order in which they were bound. What is too short to name an SA comes to the first.
pub(super) fn by_share(socket: &Socket, count: NonZeroU8) -> io::Result<()> {
    let mut program = program(count);
    let program = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let (data, len) = (std::ptr::from_ref(&program).cast::<c_void>(), size_of::<sock_fprog>() as libc::socklen_t);
    // SAFETY: the descriptor is open; `data` and `len` name a sock_fprog whose instructions live, as it does, through the call, which
    // copies them.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, data, len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The first four octets behind the UDP header are PType and SPI, whose lowest bits are the SA's class; the program gives the socket's
/// index. A load beyond the datagram's end gives 0.
fn program(count: NonZeroU8) -> [sock_filter; 4] {
    let instruction = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    [
        instruction(BPF_LD | BPF_W | BPF_ABS, 0),
        instruction(BPF_ALU | BPF_AND | BPF_K, u32::from(Spi::CLASSES - 1)),
        instruction(BPF_ALU | BPF_MOD | BPF_K, count.get().into()),
        instruction(BPF_RET | BPF_A, 0),
    ]
}

const _: () = assert!(Spi::CLASSES.is_power_of_two());
