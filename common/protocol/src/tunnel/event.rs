//! What a tunnel's halves tell control. Drained with `poll_event` after every batch and every command.

use std::net::SocketAddr;

use super::SocketId;
use crate::sa::Spi;

/// From a half of the tunnel, for control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An authentic PType 8 payload.
    Signalling(SignallingReceived),
    /// A home agent has opened a packet from where it has no proved path to: a node behind a NAT that maps it anew, or one
    /// whose path is not proved yet.
    Sighted(Sighting),
    /// A direction of this SA nears the last packet that it may protect: a new SA is wanted. Said once a direction.
    WearingOut(Spi),
    /// What may be a Binding Update has come to a home agent under an SPI that is unknown here and that the HAC may know. At most
    /// [`super::look_up::MOST_A_SECOND`] a second, an SPI once in [`super::look_up::REMEMBERED`].
    LookUp(Spi),
    /// The first authentic user data since its paths changed has come to a mobile node on this socket.
    Heard(SocketId),
}

/// An authentic PType 8 payload, for control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignallingReceived {
    /// Under which SA.
    pub spi: Spi,
    /// Its sequence number under that SA.
    pub sequence: u32,
    /// The socket that it came in on.
    pub socket: SocketId,
    /// The outer source.
    pub from: SocketAddr,
    /// The payload's first header.
    pub next_header: u8,
    /// Extension headers and Mobility Header.
    pub payload: Vec<u8>,
    /// The SA's lease: above 0 the replay state is lost, and the message may only be answered with 176.
    pub lease: u32,
}

/// Where an authentic packet with user data, or a dummy, came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Under which SA.
    pub spi: Spi,
    /// Its sequence number under that SA.
    pub sequence: u32,
    /// The socket that it came in on.
    pub socket: SocketId,
    /// The outer source.
    pub from: SocketAddr,
}
