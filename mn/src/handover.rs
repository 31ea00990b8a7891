//! The attachment in use and its sockets. Make before break: the new one opens before the old one closes, and while both work
//! packets go over both. Break before make: the old one is gone, and its socket stays for what is on its way.

use std::time::{Duration, Instant};

use protocol::tunnel::SocketId;

use crate::movement::Attachment;

/// Packets that are on their way to the old care-of address are still taken for this long.
const GRACE: Duration = Duration::from_secs(3);
/// Socket numbers are used in turn; more moves than this within the grace time close the oldest early.
const SOCKETS: u8 = 8;
/// Of so many attachments at once.
const MOST_ASKING: usize = 3;
const _: () = assert!(MOST_ASKING + 2 < SOCKETS as usize);

/// An attachment and the socket that is bound to it.
pub type Attached = (SocketId, Attachment);

/// What goes on being used when a move begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: break before make.
    Nothing,
    /// What was in use.
    Current,
    /// What was beside it: what was in use has not been acknowledged.
    Beside,
}

/// Which socket is used, which are being opened or closed.
#[derive(Debug, Default)]
pub struct Handover {
    current: Option<Attached>,
    /// What was in use before, and works still: packets go there as well until the move is over.
    beside: Option<Attached>,
    opening: Option<Attached>,
    /// Over these the home agent is asked whether they lead to it, while it does not answer over the one in use.
    asking: Vec<Attached>,
    /// And over this one it has answered first.
    answered: Option<SocketId>,
    closing: Vec<(Instant, SocketId)>,
    next: u8,
}

impl Handover {
    /// The attachment in use or, while a socket is being opened, the one that it is for.
    pub fn target(&self) -> Option<&Attachment> {
        self.opening.as_ref().or(self.current.as_ref()).map(|(_, attachment)| attachment)
    }

    /// The socket and attachment in use.
    pub fn current(&self) -> Option<&Attached> {
        self.current.as_ref()
    }

    /// What is used as well while a move is under way.
    pub fn beside(&self) -> Option<&Attached> {
        self.beside.as_ref()
    }

    /// Starts a move: gives the number of the socket to open.
    pub fn open(&mut self, attachment: Attachment) -> SocketId {
        let socket = self.unused();
        self.closing.retain(|(_, closing)| *closing != socket);
        self.opening = Some((socket, attachment));
        socket
    }

    /// The socket is open: it is used from now on, and beside it what is to be kept. All else closes after its grace. `false` for an
    /// outdated socket.
    pub fn opened(&mut self, socket: SocketId, keep: Keep, now: Instant) -> bool {
        let Some(opening) = self.opening.take_if(|(opening, _)| *opening == socket) else { return false };
        let before = self.current.replace(opening);
        match keep {
            Keep::Beside => self.close(before, now),
            Keep::Current => {
                self.release(now);
                self.beside = before;
            }
            Keep::Nothing => {
                self.release(now);
                self.close(before, now);
            }
        }
        true
    }

    /// The socket could not be opened.
    pub fn failed(&mut self, socket: SocketId) {
        self.opening.take_if(|(opening, _)| *opening == socket);
        self.asking.retain(|(asking, _)| *asking != socket);
    }

    /// Asks over another attachment: gives the number of the socket to open. `None` where that is done already, or there are enough.
    pub fn ask(&mut self, attachment: &Attachment) -> Option<SocketId> {
        if self.asking_over(attachment).is_some() || self.asking.len() == MOST_ASKING {
            return None;
        }
        let socket = self.unused();
        self.closing.retain(|(_, closing)| *closing != socket);
        self.asking.push((socket, attachment.clone()));
        Some(socket)
    }

    /// What is asked over on this socket.
    pub fn asking(&self, socket: SocketId) -> Option<&Attached> {
        self.asking.iter().find(|(asking, _)| *asking == socket)
    }

    /// The home agent has answered over this one.
    pub fn note_answer(&mut self, socket: SocketId) {
        self.answered.get_or_insert(socket);
    }

    /// Over which one it has answered first, of those that are asked over.
    pub fn answered(&self) -> Option<&Attached> {
        self.asking(self.answered?)
    }

    /// The socket over which this attachment is asked, if it is.
    pub fn asking_over(&self, attachment: &Attachment) -> Option<&Attached> {
        self.asking.iter().find(|(_, asking)| asking.is_same_place(attachment))
    }

    /// This one does not answer, or it does not matter any more.
    pub fn ask_no_more_over(&mut self, attachment: &Attachment, now: Instant) {
        if let Some(index) = self.asking.iter().position(|(_, asking)| asking.is_same_place(attachment)) {
            let asked = self.asking.swap_remove(index);
            self.close(Some(asked), now);
        }
    }

    /// Those that are not usable any more leave their place to others.
    pub fn ask_over_usable_alone(&mut self, usable: &[Attachment], now: Instant) {
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.asking).into_iter().partition(|(_, attachment)| attachment.is_among(usable));
        self.asking = kept;
        gone.into_iter().for_each(|asked| self.close(Some(asked), now));
    }

    /// What was asked over on this socket is used from now on, and beside it what is to be kept.
    pub fn adopt(&mut self, socket: SocketId, keep: Keep, now: Instant) -> bool {
        let Some(index) = self.asking.iter().position(|(asking, _)| *asking == socket) else { return false };
        self.opening = Some(self.asking.swap_remove(index));
        self.opened(socket, keep, now)
    }

    /// There is an answer, or it does not matter any more.
    pub fn ask_no_more(&mut self, now: Instant) {
        self.answered = None;
        for attached in std::mem::take(&mut self.asking) {
            self.close(Some(attached), now);
        }
    }

    /// The move is over, or what was beside is gone. `false` when there was nothing.
    pub fn release(&mut self, now: Instant) -> bool {
        let beside = self.beside.take();
        let was = beside.is_some();
        self.close(beside, now);
        was
    }

    /// What was in use before is used again, and what it was to be left for is not. `false` when there is no going back.
    pub fn go_back(&mut self, now: Instant) -> bool {
        let Some(beside) = self.beside.take() else { return false };
        self.opening = None;
        let left = self.current.replace(beside);
        self.close(left, now);
        true
    }

    /// There is no usable attachment any more. `false` when there was none before.
    pub fn detach(&mut self, now: Instant) -> bool {
        let was_attached = self.target().is_some();
        self.opening = None;
        self.release(now);
        let left = self.current.take();
        self.close(left, now);
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

    fn close(&mut self, attached: Option<Attached>, now: Instant) {
        self.closing.extend(attached.map(|(socket, _)| (now + GRACE, socket)));
    }

    /// The next number in turn that is not used: there are more than can be.
    fn unused(&mut self) -> SocketId {
        let used = || [&self.current, &self.beside].into_iter().flatten().chain(&self.asking);
        let is_used = |socket| used().any(|(used, _)| *used == socket);
        let mut turn = (0..SOCKETS).map(|step| SocketId((self.next + step) % SOCKETS));
        let socket = turn.find(|socket| !is_used(*socket)).unwrap_or(SocketId(self.next));
        self.next = (socket.0 + 1) % SOCKETS;
        socket
    }
}
