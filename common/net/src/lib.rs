//! Where the outside world is reached: every system call, and all `unsafe` of the project but for the vector kernels of `simd`.
//!
//! - [`tun`]: the tunnel's inner side, a TUN device read and written in batches.
//! - [`udp`]: its outer side, sockets with `recvmmsg` and `sendmmsg`.
//! - [`worker`]: the threads between them, each of which drives an entry-point and an exit-point.
//! - [`offloads`]: what both leave to the kernel in bulk.
//! - [`bind`]: what to do when an address cannot be listened on.
//! - [`netlink`]: links, addresses, routes and policy rules.
//! - [`link_names`]: names of interfaces and their numbers.
//! - [`link_socket`]: whole IPv6 and ARP packets on one link.
//! - [`marked`]: sockets of look-ups, kept out of the tunnel.
//! - [`clock`]: a clock that counts sleep.
//! - [`file_watch`]: a file that others write.
//! - [`priority`]: signalling before packets.
//! - [`relay`]: the tunnel's datagrams over a stream, where a network lets no UDP through.
//! - [`tls`]: between mobile node and HAC: configuration, the certificate's name, the channel binding.
//!
//! Nothing here knows the protocol; what a packet means is decided in the crate `protocol`.

pub mod bind;
pub mod clock;
pub mod file_watch;
pub mod link_names;
pub mod link_socket;
pub mod marked;
pub mod netlink;
pub mod offloads;
pub mod priority;
pub mod relay;
pub mod tls;
pub mod tun;
pub mod udp;
pub mod worker;

/// The most that sealing adds to an inner packet: the envelope (8 octets), an IV (16), padding to a block (15) with its two
/// octets, an ICV (16), and what an extension suite may want.
pub const MAX_SEALING_OVERHEAD: usize = 64;
