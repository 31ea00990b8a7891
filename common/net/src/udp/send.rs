//! Sends the datagrams of a batch with as few system calls as there are stretches of one socket, a run as one message.

use std::io;
use std::ops::Range;

use protocol::tunnel::batch::{Fragmentation, MAX_RUN_DATAGRAMS, Run};
use protocol::tunnel::{SendBatch, SocketId};

use super::fragments::Fragmenter;
use super::messages::Messages;
use super::{Sockets, UdpSocket};

/// The most messages of one `sendmmsg(2)`: as for receiving.
const MESSAGES: usize = super::RECEIVE_DATAGRAMS;

const _: () = assert!(MESSAGES >= MAX_RUN_DATAGRAMS);

/// What became of one [`Sender::send`].
#[derive(Debug, Default)]
pub struct SendReport {
    /// Datagrams that the kernel took.
    pub sent: usize,
    /// Datagrams that it refused, or whose socket is gone.
    pub failed: usize,
    /// Why it refused the last of them.
    pub last_error: Option<io::Error>,
    /// The socket whose send buffer is full, where something of the batch is left for another try.
    pub full: Option<SocketId>,
}

impl SendReport {
    /// One datagram.
    fn note(&mut self, sent: io::Result<()>) {
        match sent {
            Ok(()) => self.sent += 1,
            Err(error) => (self.failed, self.last_error) = (self.failed + 1, Some(error)),
        }
    }
}

/// The memory that `sendmmsg(2)` needs beside the batch, and how far it is with that; one for each thread that sends.
#[derive(Debug)]
pub struct Sender {
    messages: Messages,
    /// The datagrams of a run that the kernel did not take as one message.
    singles: Messages,
    /// Octets of the batch's runs that are sent or have failed.
    done: usize,
}

impl Sender {
    /// Room for one system call.
    pub fn new() -> Self {
        Self { messages: Messages::new(MESSAGES), singles: Messages::new(MAX_RUN_DATAGRAMS), done: 0 }
    }

    /// Sends each datagram of `batch` from the socket that it names, in order. One that fails is counted and skipped. Never waits: where
    /// the send buffer of the batch's only socket is full, the next call goes on, with the same batch or more behind it. Where there are
    /// several, what a full one does not take fails: no link waits for another, and often the same datagram goes on both.
    pub fn send(&mut self, batch: &SendBatch, sockets: &Sockets) -> SendReport {
        let mut report = SendReport::default();
        let mut outgoing = rest_of(batch, self.done).flat_map(|(run, octets)| messages_of(run, octets, sockets)).peekable();
        while let Some((first, octets)) = outgoing.peek() {
            if let Some(fragmenter) = fragmenter_of(first, octets, sockets) {
                report.note(fragmenter.send(first.to, first.traffic_class, octets));
                self.done += octets.len();
                outgoing.next();
                continue;
            }
            let (id, fragmentation) = (first.socket, first.fragmentation);
            self.messages.clear();
            while self.messages.len() < MESSAGES
                && let Some((run, octets)) = outgoing.next_if(|(run, octets)| {
                    (run.socket, run.fragmentation) == (id, fragmentation) && fragmenter_of(run, octets, sockets).is_none()
                })
            {
                self.messages.push(run, octets);
            }
            let (settled, done) = (report.sent + report.failed, self.done);
            let sent = in_form(sockets.get(id), fragmentation, |socket| self.send_messages(socket, &mut report));
            if sent.is_err() {
                if batch.runs().all(|(run, _)| run.socket == id) {
                    report.full = Some(id);
                    return report;
                }
                // Of the stretch, whatever was not taken.
                let all = 0..self.messages.len();
                report.failed = settled + self.messages.datagrams(all.clone()) - report.sent;
                self.done = done + self.messages.octets(all);
            }
        }
        self.done = 0;
        report
    }

    /// Gives up what is left of `batch`: how many datagrams that is.
    pub fn drop_rest(&mut self, batch: &SendBatch) -> usize {
        let done = std::mem::take(&mut self.done);
        rest_of(batch, done).map(|(run, octets)| octets.len().div_ceil(run.datagram.max(1))).sum()
    }

    /// A run that the kernel refuses is given to it in pieces: none of it was sent, since a message is taken whole or not at all.
    fn send_messages(&mut self, socket: Option<&UdpSocket>, report: &mut SendReport) -> Result<(), Full> {
        let Self { messages, singles, done } = self;
        let mut sending = Sending { report, done };
        let Some(socket) = socket else {
            sending.fail(messages, 0..messages.len(), None);
            return Ok(());
        };
        let mut at = 0;
        while let Some(error) = sending.send(messages, &mut at, socket)? {
            if messages.is_run(at) && is_about_cutting(&error) {
                socket.note_refusal(&error);
                messages.split(at, singles);
                sending.send_each(singles, socket)?;
            } else {
                sending.fail(messages, at..at + 1, Some(error));
            }
            at += 1;
        }
        Ok(())
    }
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls `send` with the socket set for what it sends, and sets it back. A socket is one thread's.
fn in_form<T>(socket: Option<&UdpSocket>, form: Fragmentation, send: impl FnOnce(Option<&UdpSocket>) -> T) -> T {
    let special = socket.filter(|_| form == Fragmentation::Never);
    special.iter().for_each(|socket| socket.set_fragmentation(form));
    let sent = send(socket);
    special.iter().for_each(|socket| socket.set_fragmentation(Fragmentation::OnTheWay));
    sent
}

/// What makes fragments of a datagram, where it is to go in some: a rare way, on which one that finds a full buffer is lost.
fn fragmenter_of<'a>(run: &Run, octets: &[u8], sockets: &'a Sockets) -> Option<&'a Fragmenter> {
    if run.fragmentation != Fragmentation::OnItsOwn || !Fragmenter::is_for(octets.len()) {
        return None;
    }
    sockets.get(run.socket)?.fragmenter.as_ref()
}

/// What of a batch's runs is behind the first `done` octets of them.
fn rest_of(batch: &SendBatch, mut done: usize) -> impl Iterator<Item = (&Run, &[u8])> {
    batch.runs().filter_map(move |(run, octets)| {
        let (before, rest) = octets.split_at(done.min(octets.len()));
        done -= before.len();
        (!rest.is_empty()).then_some((run, rest))
    })
}

/// What a run is sent as: one message, or where its socket cannot, its datagrams.
fn messages_of<'a>(run: &'a Run, octets: &'a [u8], sockets: &Sockets) -> impl Iterator<Item = (&'a Run, &'a [u8])> + use<'a> {
    let is_whole = sockets.get(run.socket).is_some_and(UdpSocket::sends_runs);
    let len = if is_whole { octets.len() } else { run.datagram };
    octets.chunks(len.max(1)).map(move |message| (run, message))
}

/// Whether a run was refused for what it is, and not for where it goes: the device computes no checksums (EIO), the datagrams are
/// longer than the path's MTU, which the kernel never both cuts and fragments (EINVAL, or EMSGSIZE since Linux 6.9).
fn is_about_cutting(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
}

/// The socket's send buffer takes no more.
struct Full;

/// What is noted of messages under way.
struct Sending<'a> {
    report: &'a mut SendReport,
    done: &'a mut usize,
}

impl Sending<'_> {
    /// Sends from the message at `at` on, which it moves. Gives the error of the one there when it is refused, `None` at the end.
    fn send(&mut self, messages: &mut Messages, at: &mut usize, socket: &UdpSocket) -> Result<Option<io::Error>, Full> {
        while *at < messages.len() {
            match messages.send(*at, socket) {
                Ok(count) => {
                    let taken = *at..*at + count;
                    self.report.sent += messages.datagrams(taken.clone());
                    *self.done += messages.octets(taken);
                    *at += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Full),
                Err(error) => return Ok(Some(error)),
            }
        }
        Ok(None)
    }

    /// Sends messages that are one datagram each.
    fn send_each(&mut self, messages: &mut Messages, socket: &UdpSocket) -> Result<(), Full> {
        let mut at = 0;
        while let Some(error) = self.send(messages, &mut at, socket)? {
            self.fail(messages, at..at + 1, Some(error));
            at += 1;
        }
        Ok(())
    }

    /// Skips messages.
    fn fail(&mut self, messages: &Messages, which: Range<usize>, error: Option<io::Error>) {
        self.report.failed += messages.datagrams(which.clone());
        *self.done += messages.octets(which);
        self.report.last_error = error.or(self.report.last_error.take());
    }
}
