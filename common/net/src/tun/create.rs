//! Makes the device, with as many of the kernel's offloads as there are.

use std::ffi::{c_int, c_uint};
use std::io;
use std::num::NonZeroU8;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::{MAX_MTU, MIN_MTU, Tun, TunQueues, TunSegments};
use crate::offloads::Offloads;

/// Checksums and TCP segments of both families, with ECN's Congestion Window Reduced in the first alone.
const TCP: c_uint = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;

/// Datagrams of a UDP flow, of both families (Linux 6.2).
const UDP: c_uint = libc::TUN_F_USO4 | libc::TUN_F_USO6;

impl Tun {
    /// Creates the device `name` (1 to 15 octets) with `mtu` octets, [`MIN_MTU`] to [`MAX_MTU`]. It is down and has no
    /// address. What the kernel does not have of the `offloads` is done without, and logged.
    ///
    /// # Errors
    /// The text says what to do: no `/dev/net/tun`, no CAP_NET_ADMIN, the name is taken or is none, the MTU is out of range.
    pub fn create(name: &str, mtu: u16, offloads: Offloads) -> io::Result<Self> {
        Self::create_as(name, mtu, offloads, 0)
    }

    /// [`Self::create`], with `count` queues, each of which has a share of the packets: the kernel hands a flow to the queue that wrote
    /// its other direction last, or to one by a hash of it.
    ///
    /// # Errors
    /// As there.
    pub fn create_queues(name: &str, mtu: u16, offloads: Offloads, count: NonZeroU8) -> io::Result<TunQueues> {
        let flags = if count > NonZeroU8::MIN { libc::IFF_MULTI_QUEUE } else { 0 };
        let first = Self::create_as(name, mtu, offloads, flags)?;
        let others = (1..count.get()).map(|_| first.another_queue()).collect::<io::Result<Vec<_>>>()?;
        let (name, index, segments) = (first.name.clone(), first.index, first.segments);
        let each = std::iter::once(first).chain(others).map(Arc::new).collect();
        Ok(TunQueues { name, index, segments, each })
    }

    fn create_as(name: &str, mtu: u16, offloads: Offloads, flags: c_int) -> io::Result<Self> {
        check(name, mtu)?;
        let (fd, segments) = if offloads.tun_segments {
            open_with_segments(name, flags)?
        } else {
            (open(name, flags | libc::IFF_TUN_EXCL)?, TunSegments::None)
        };
        let control = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        let mut request = request_for(name);
        request.ifr_ifru.ifru_mtu = c_int::from(mtu);
        ioctl(control.as_fd(), libc::SIOCSIFMTU, &mut request)
            .map_err(|error| with_text(&error, format!("cannot set the MTU of {name} to {mtu}: {error}")))?;
        let index = rustix::net::netdevice::name_to_index(&control, name)?;
        forbid_link_local(name);
        Ok(Self { fd, name: name.to_owned(), index, segments })
    }

    fn another_queue(&self) -> io::Result<Self> {
        let header = if self.has_headers() { libc::IFF_VNET_HDR } else { 0 };
        let fd = open(&self.name, libc::IFF_MULTI_QUEUE | header)?;
        Ok(Self { fd, name: self.name.clone(), index: self.index, segments: self.segments })
    }
}

/// Trying is the only way to learn what a kernel has. Without any segments the header would be 10 octets of nothing, so the
/// device is made again without it.
fn open_with_segments(name: &str, flags: c_int) -> io::Result<(OwnedFd, TunSegments)> {
    let flags = flags | libc::IFF_TUN_EXCL;
    let Ok(fd) = open(name, flags | libc::IFF_VNET_HDR) else {
        let fd = open(name, flags)?;
        tracing::info!(device = name, "the kernel's TUN devices have no IFF_VNET_HDR: each segment costs a system call");
        return Ok((fd, TunSegments::None));
    };
    let Err(error) = set_offload(fd.as_fd(), TCP | UDP) else { return Ok((fd, TunSegments::TcpAndUdp)) };
    if set_offload(fd.as_fd(), TCP).is_ok() {
        tracing::info!(device = name, %error, "the kernel's TUN devices have no USO: each UDP datagram costs a system call");
        return Ok((fd, TunSegments::Tcp));
    }
    drop(fd);
    let fd = open(name, flags)?;
    tracing::info!(device = name, %error, "the kernel's TUN devices have no offloads: each segment costs a system call");
    Ok((fd, TunSegments::None))
}

/// Opens a device with `flags` besides the usual ones: one that did not exist before, with IFF_TUN_EXCL.
fn open(name: &str, flags: c_int) -> io::Result<OwnedFd> {
    let fd = rustix::fs::open("/dev/net/tun", OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| explain(error.into(), name))?;
    let mut request = request_for(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI | flags) as libc::c_short;
    ioctl(fd.as_fd(), libc::TUNSETIFF, &mut request).map_err(|error| explain(error, name))?;
    Ok(fd)
}

/// A tunnel has no link: without a link-local address the kernel sends no router solicitation and no report into it.
fn forbid_link_local(name: &str) {
    let file = format!("/proc/sys/net/ipv6/conf/{name}/addr_gen_mode");
    if let Err(error) = std::fs::write(&file, "1") {
        tracing::debug!(%error, "cannot write {file}: link-local packets of the device will be dropped and counted");
    }
}

/// Whether a device may have this name: 1 to 15 letters, digits, '-', '_' or '.'.
pub fn is_device_name(name: &str) -> bool {
    (1..libc::IFNAMSIZ).contains(&name.len())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
        && name != "."
        && name != ".."
}

fn check(name: &str, mtu: u16) -> io::Result<()> {
    if !is_device_name(name) {
        let text = format!("{name:?} cannot name a device: use 1 to 15 letters, digits, '-', '_' or '.'");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if !(MIN_MTU..=MAX_MTU).contains(&mtu) {
        let text = format!("a tunnel cannot have an MTU of {mtu}: set one from {MIN_MTU} (IPv6's minimum) to {MAX_MTU}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

fn explain(error: io::Error, name: &str) -> io::Error {
    let text = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            "there is no TUN driver at /dev/net/tun: load it with `modprobe tun`, or let the container have the device".to_owned()
        }
        Some(libc::EPERM | libc::EACCES) => {
            format!(
                "not permitted to create the device {name}: run as root or with CAP_NET_ADMIN, and let /dev/net/tun be opened"
            )
        }
        Some(libc::EBUSY | libc::EINVAL | libc::EEXIST) => {
            format!("a device named {name} exists already: end the program that has it, or set another name in [tunnel] device")
        }
        _ => format!("cannot create the TUN device {name}: {error}"),
    };
    with_text(&error, text)
}

fn with_text(error: &io::Error, text: String) -> io::Error {
    io::Error::new(error.kind(), text)
}

/// A request about the device `name`, whose length [`check`] has seen.
fn request_for(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is a C structure of integers and pointers without invariants; all zeroes is a value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, octet) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *to = octet as libc::c_char;
    }
    request
}

/// Only for requests whose argument is an `ifreq`: TUNSETIFF, SIOCSIFMTU.
fn ioctl(fd: BorrowedFd<'_>, number: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: the descriptor is open, both requests read and write one ifreq, and `request` is one for the whole call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), number, std::ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// All of `features` or none.
fn set_offload(fd: BorrowedFd<'_>, features: c_uint) -> io::Result<()> {
    // SAFETY: the descriptor is open; TUNSETOFFLOAD takes its argument by value and touches no memory of ours.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(features)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
