//! The tunnel's inner side: a TUN device, which hands the kernel's IP packets to us and ours to the kernel.
//!
//! The workers read and write it in batches; [`Tun::read_batch`] and [`Tun::write_batch`] are the only ways in and out, so
//! that offloads (`IFF_VNET_HDR`) will change nothing but this file. The device is not persistent: it goes with its last
//! descriptor, whatever ends the process. Addresses and routes are the business of netlink, not of this.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use protocol::tunnel::PacketBatch;
use protocol::tunnel::batch::MAX_PACKET;
use rustix::fs::{Mode, OFlags};

/// The least MTU of a tunnel: IPv6 has to pass (RFC 8200 section 5).
pub const MIN_MTU: u16 = 1_280;

/// The largest MTU of a tunnel: jumbo frames, above which every sealed packet would be fragmented on every network.
pub const MAX_MTU: u16 = 9_000;

/// A TUN device that lives as long as this value.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    name: String,
    index: u32,
}

/// What became of the packets of one [`Tun::write_batch`].
#[derive(Debug, Default)]
pub struct WriteReport {
    /// Packets that the kernel took.
    pub written: usize,
    /// Packets that it refused: malformed, or the device is down.
    pub failed: usize,
    /// Why it refused the last of them.
    pub last_error: Option<io::Error>,
}

impl Tun {
    /// Creates the device `name` (1 to 15 octets) with `mtu` octets, [`MIN_MTU`] to [`MAX_MTU`]. It is down and has no
    /// address.
    ///
    /// # Errors
    /// The text says what to do: no `/dev/net/tun`, no CAP_NET_ADMIN, the name is taken or is none, the MTU is out of range.
    pub fn create(name: &str, mtu: u16) -> io::Result<Self> {
        check(name, mtu)?;
        let fd = rustix::fs::open("/dev/net/tun", OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| explain(error.into(), name))?;
        let mut request = request_for(name);
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_TUN_EXCL) as libc::c_short;
        ioctl(fd.as_fd(), libc::TUNSETIFF, &mut request).map_err(|error| explain(error, name))?;

        let control = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        let mut request = request_for(name);
        request.ifr_ifru.ifru_mtu = c_int::from(mtu);
        ioctl(control.as_fd(), libc::SIOCSIFMTU, &mut request)
            .map_err(|error| with_text(&error, format!("cannot set the MTU of {name} to {mtu}: {error}")))?;
        let index = rustix::net::netdevice::name_to_index(&control, name)?;
        forbid_link_local(name);
        Ok(Self { fd, name: name.to_owned(), index })
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device's interface index.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Reads packets behind those in `batch` until the kernel has no more or the batch cannot take one of [`MAX_PACKET`]
    /// octets (a shorter room would cut a packet silently). Returns how many were read; 0 when there is none.
    ///
    /// # Errors
    /// The device is gone. Packets that were read before are in the batch and the error comes with the next call.
    pub fn read_batch(&self, batch: &mut PacketBatch) -> io::Result<usize> {
        let mut read = 0;
        loop {
            let room = batch.room();
            if room.len() < MAX_PACKET {
                return Ok(read);
            }
            match rustix::io::read(&self.fd, room) {
                Ok(0) => return Ok(read),
                Ok(len) => {
                    batch.commit(len);
                    read += 1;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(read),
                Err(_) if read > 0 => return Ok(read),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes each packet; one that the kernel refuses is counted and the others go on.
    pub fn write_batch<'a>(&self, packets: impl Iterator<Item = &'a [u8]>) -> WriteReport {
        let mut report = WriteReport::default();
        for packet in packets {
            match rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, packet)) {
                Ok(_) => report.written += 1,
                Err(error) => {
                    report.failed += 1;
                    report.last_error = Some(error.into());
                }
            }
        }
        report
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
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

#[cfg(test)]
mod tests {
    use fixture::{in_new_network_namespace, shell};

    use super::*;

    #[test]
    fn names_and_mtus_that_no_tunnel_can_have_are_refused_before_anything_is_opened() {
        for name in ["", "a-name-of-16-oct", "a/b", "a b", "tun%d", ".", ".."] {
            assert_eq!(Tun::create(name, 1400).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
        for mtu in [0, 1279, 9001] {
            assert!(Tun::create("mn0", mtu).unwrap_err().to_string().contains("1280"));
        }
    }

    #[test]
    fn a_device_has_the_mtu_asked_for_and_goes_with_its_owner() {
        in_new_network_namespace(|| {
            let tun = Tun::create("mn0", 1380).unwrap();
            assert!(tun.index() > 0);
            assert_eq!(std::fs::read_to_string("/proc/net/dev").unwrap().matches("mn0:").count(), 1);
            let error = Tun::create("mn0", 1380).unwrap_err().to_string();
            assert!(error.contains("exists already"), "{error}");
            drop(tun);
            assert!(!std::fs::read_to_string("/proc/net/dev").unwrap().contains("mn0:"));
            Tun::create("mn0", 1380).unwrap();
        });
    }

    #[test]
    fn what_the_kernel_sends_into_the_device_is_read_in_one_batch() {
        in_new_network_namespace(|| {
            let tun = up_with_address("mn0");
            let socket = std::net::UdpSocket::bind("10.9.0.2:1000").unwrap();
            for payload in [b"one".as_slice(), b"two", b"three"] {
                socket.send_to(payload, "10.9.0.77:2000").unwrap();
            }
            let mut batch = PacketBatch::new(16, 2 * MAX_PACKET);
            assert_eq!(tun.read_batch(&mut batch).unwrap(), batch.len());
            let payloads: Vec<&[u8]> = batch.iter().filter(|packet| packet[0] >> 4 == 4).map(|packet| &packet[28..]).collect();
            assert_eq!(payloads, [b"one".as_slice(), b"two", b"three"]);
            assert_eq!(tun.read_batch(&mut batch).unwrap(), 0, "nothing more, and no waiting");
        });
    }

    #[test]
    fn a_bad_packet_does_not_end_a_write_batch() {
        in_new_network_namespace(|| {
            let tun = up_with_address("mn0");
            let socket = std::net::UdpSocket::bind("10.9.0.2:2000").unwrap();
            socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let good = [(&b"first"[..], 1), (b"last", 2)].map(|(payload, id)| udp_packet(payload, id));
            let report = tun.write_batch([good[0].as_slice(), &[0xff; 20], &good[1]].into_iter());
            assert_eq!((report.written, report.failed), (2, 1), "{report:?}");
            let mut octets = [0; 64];
            for payload in [b"first".as_slice(), b"last"] {
                let len = socket.recv(&mut octets).unwrap();
                assert_eq!(&octets[..len], payload);
            }
        });
    }

    /// From 10.9.0.77 port 1000 to 10.9.0.2 port 2000, without a UDP checksum (RFC 768 allows it).
    fn udp_packet(payload: &[u8], id: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28 + payload.len() as u8, 0, id, 0, 0, 64, 17, 0, 0, 10, 9, 0, 77, 10, 9, 0, 2];
        let sum: u32 = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
        let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet.extend([1000u16, 2000, 8 + payload.len() as u16, 0].iter().flat_map(|word| word.to_be_bytes()));
        packet.extend(payload);
        packet
    }

    fn up_with_address(name: &str) -> Tun {
        let tun = Tun::create(name, 1400).unwrap();
        shell(&format!("ip address add 10.9.0.2/24 dev {name} && ip link set {name} up"));
        tun
    }
}
