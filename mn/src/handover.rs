//! The attachment in use and its sockets: the new one opens before the old one closes.

use std::time::{Duration, Instant};

use protocol::tunnel::SocketId;

use crate::movement::Attachment;

/// Packets that are on their way to the old care-of address are still taken for this long.
const GRACE: Duration = Duration::from_secs(3);
/// Socket numbers are used in turn; more moves than this within the grace time close the oldest early.
const SOCKETS: u8 = 8;

/// Which socket is used, which are being opened or closed.
#[derive(Debug, Default)]
pub struct Handover {
    current: Option<(SocketId, Attachment)>,
    opening: Option<(SocketId, Attachment)>,
    closing: Vec<(Instant, SocketId)>,
    next: u8,
}

impl Handover {
    /// The attachment in use or, while a move is under way, the one that it goes to.
    pub fn target(&self) -> Option<&Attachment> {
        self.opening.as_ref().or(self.current.as_ref()).map(|(_, attachment)| attachment)
    }

    /// The socket and attachment in use.
    pub fn current(&self) -> Option<&(SocketId, Attachment)> {
        self.current.as_ref()
    }

    /// Starts a move: gives the number of the socket to open.
    pub fn open(&mut self, attachment: Attachment) -> SocketId {
        let socket = SocketId(self.next);
        self.next = (self.next + 1) % SOCKETS;
        self.closing.retain(|(_, closing)| *closing != socket);
        self.opening = Some((socket, attachment));
        socket
    }

    /// The socket is open: it is used from now on, and the one before closes after its grace. `false` for an outdated one.
    pub fn opened(&mut self, socket: SocketId, now: Instant) -> bool {
        let Some(opening) = self.opening.take_if(|(opening, _)| *opening == socket) else { return false };
        if let Some((old, _)) = self.current.replace(opening) {
            self.closing.push((now + GRACE, old));
        }
        true
    }

    /// The socket could not be opened.
    pub fn failed(&mut self, socket: SocketId) {
        self.opening.take_if(|(opening, _)| *opening == socket);
    }

    /// There is no usable attachment any more. `false` when there was none before.
    pub fn detach(&mut self, now: Instant) -> bool {
        let was_attached = self.target().is_some();
        self.opening = None;
        if let Some((old, _)) = self.current.take() {
            self.closing.push((now + GRACE, old));
        }
        was_attached
    }

    /// A socket whose grace is over; drained until `None`.
    pub fn close_due(&mut self, now: Instant) -> Option<SocketId> {
        let index = self.closing.iter().position(|(due, _)| *due <= now)?;
        Some(self.closing.swap_remove(index).1)
    }

    /// When the next socket is to be closed.
    pub fn due(&self) -> Option<Instant> {
        self.closing.iter().map(|(due, _)| *due).min()
    }
}
