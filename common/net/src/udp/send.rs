//! Sends the datagrams of a batch with as few system calls as there are stretches of one socket, a run as one message.

use std::io;
use std::time::Duration;

use protocol::tunnel::SendBatch;
use protocol::tunnel::batch::{MAX_RUN_DATAGRAMS, Run};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::messages::Messages;
use super::{Sockets, UdpSocket};

/// How long a `sendmmsg(2)` waits, once, for a full send buffer: what the buffer holds leaves in 8 ms at 1 Gbit/s; a link that has
/// not taken some of it by then is congested, and the rest is better dropped than late.
pub const SEND_WAIT: Duration = Duration::from_millis(8);

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
}

/// The memory that `sendmmsg(2)` needs beside the batch; one for each thread that sends.
#[derive(Debug)]
pub struct Sender {
    messages: Messages,
    /// The datagrams of a run that the kernel did not take as one message.
    singles: Messages,
}

impl Sender {
    /// Room for one system call.
    pub fn new() -> Self {
        Self { messages: Messages::new(MESSAGES), singles: Messages::new(MAX_RUN_DATAGRAMS) }
    }

    /// Sends each datagram of `batch` from the socket that it names, in order. One that fails is counted and skipped.
    pub fn send(&mut self, batch: &SendBatch, sockets: &Sockets) -> SendReport {
        let mut report = SendReport::default();
        let mut outgoing = batch.runs().flat_map(|(run, octets)| messages_of(run, octets, sockets)).peekable();
        while let Some((first, _)) = outgoing.peek() {
            let id = first.socket;
            self.messages.clear();
            while self.messages.len() < MESSAGES
                && let Some((run, octets)) = outgoing.next_if(|(run, _)| run.socket == id)
            {
                self.messages.push(run, octets);
            }
            match sockets.get(id) {
                Some(socket) => self.send_messages(socket, &mut report),
                None => report.failed += self.messages.datagrams(0, MESSAGES),
            }
        }
        report
    }

    /// A run that the kernel refuses is given to it in pieces: none of it was sent, since a message is taken whole or not at all.
    fn send_messages(&mut self, socket: &UdpSocket, report: &mut SendReport) {
        let mut sending = Sending { socket, report, has_waited: false };
        let mut done = 0;
        while let Some(error) = sending.send(&mut self.messages, &mut done) {
            if self.messages.is_run(done) && is_about_cutting(&error) {
                socket.note_refusal(&error);
                self.messages.split(done, &mut self.singles);
                let mut done_singles = 0;
                while let Some(error) = sending.send(&mut self.singles, &mut done_singles) {
                    sending.fail(&self.singles, &mut done_singles, 1, error);
                }
                done += 1;
            } else {
                sending.fail(&self.messages, &mut done, 1, error);
            }
        }
    }
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
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

/// The messages of one socket under way.
struct Sending<'a> {
    socket: &'a UdpSocket,
    report: &'a mut SendReport,
    has_waited: bool,
}

impl Sending<'_> {
    /// Sends from the message at `done` on, which it moves. Gives the error of the one there when it is refused, `None` at the end.
    fn send(&mut self, messages: &mut Messages, done: &mut usize) -> Option<io::Error> {
        while *done < messages.len() {
            match messages.send(*done, self.socket) {
                Ok(count) => {
                    self.report.sent += messages.datagrams(*done, *done + count);
                    *done += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.has_waited {
                        self.fail(messages, done, messages.len(), error);
                    } else {
                        self.has_waited = true;
                        wait_for_room(self.socket);
                    }
                }
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Skips `count` messages.
    fn fail(&mut self, messages: &Messages, done: &mut usize, count: usize, error: io::Error) {
        self.report.failed += messages.datagrams(*done, *done + count);
        *done += count;
        self.report.last_error = Some(error);
    }
}

fn wait_for_room(socket: &UdpSocket) {
    let timeout = Timespec { tv_sec: 0, tv_nsec: SEND_WAIT.subsec_nanos().into() };
    // Whatever poll says, the next try to send tells what is the case.
    let _ = poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&timeout));
}
