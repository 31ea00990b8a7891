//! Who may ask: the AAA servers that this HAC knows, by their addresses, each with what it was answered of late. Pure: the module above
//! brings datagrams and time, and does what is asked for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use protocol::sa::Secret;

use super::answer::{self, Verdict};
use super::answered::Answered;
use super::order::{self, ErrorCause, Order};
use super::request::{Dropped, Request, verify};

/// The servers that may ask. RFC 5176 calls them Dynamic Authorization Clients.
#[derive(Debug)]
pub struct Clients {
    by_address: BTreeMap<IpAddr, Client>,
    nas_identifier: String,
    /// When this process began to listen.
    since: SystemTime,
}

#[derive(Debug, Default)]
struct Client {
    /// One, or one for each service where they differ.
    secrets: Vec<Secret>,
    answered: Answered,
}

/// What is to follow a datagram.
#[derive(Debug)]
pub enum Taken {
    /// It was answered before: these octets again.
    Again(Vec<u8>),
    /// It cannot be done: this goes back.
    Refused(Question, ErrorCause),
    /// It is to be done, then [`Clients::settle`].
    Order(Question, Order),
}

/// A request that is to be answered.
#[derive(Debug)]
pub struct Question {
    request: Request,
    from: IpAddr,
    /// Which of its sender's secrets has proved it.
    secret: Secret,
}

impl Question {
    /// What was asked.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl Clients {
    /// `secrets` says what is shared with the servers at each address.
    pub fn new(secrets: impl IntoIterator<Item = (IpAddr, Secret)>, nas_identifier: String, since: SystemTime) -> Self {
        let mut by_address = BTreeMap::<IpAddr, Client>::new();
        for (address, secret) in secrets {
            let known = &mut by_address.entry(address.to_canonical()).or_default().secrets;
            if !known.contains(&secret) {
                known.push(secret);
            }
        }
        Self { by_address, nas_identifier, since }
    }

    /// Takes a datagram.
    ///
    /// # Errors
    /// It is dropped: nobody who may ask has sent it, or it was too long on its way.
    pub fn take(&mut self, datagram: &[u8], from: IpAddr, now: SystemTime) -> Result<Taken, Dropped> {
        let from = from.to_canonical();
        let client = self.by_address.get_mut(&from).ok_or(Dropped::Source)?;
        let (request, secret) = client.verify(datagram)?;
        request.check_time(self.since, now)?;
        if let Some(answer) = client.answered.find(&request.authenticator, now) {
            return Ok(Taken::Again(answer.to_vec()));
        }
        let is_full = client.answered.is_full();
        let order = if is_full { Err(ErrorCause::ResourcesUnavailable) } else { order::read(&request, &self.nas_identifier) };
        let question = Question { request, from, secret };
        Ok(match order {
            Ok(order) => Taken::Order(question, order),
            Err(cause) => Taken::Refused(question, cause),
        })
    }

    /// The answer to a question, which it has from now on. `None` where it does not fit into a packet.
    pub fn settle(&mut self, question: Question, verdict: Verdict, now: SystemTime) -> Option<Vec<u8>> {
        let Question { request, from, secret } = question;
        let answer = answer::write(&request, verdict, &secret).ok()?;
        if let Some(client) = self.by_address.get_mut(&from)
            && !client.answered.is_full()
        {
            client.answered.remember(request.authenticator, answer.clone(), now);
        }
        Some(answer)
    }
}

impl Client {
    fn verify(&self, datagram: &[u8]) -> Result<(Request, Secret), Dropped> {
        let mut dropped = Dropped::Source;
        for secret in &self.secrets {
            match verify(datagram, secret) {
                Ok(request) => return Ok((request, secret.clone())),
                Err(reason) => dropped = reason,
            }
        }
        Err(dropped)
    }
}

#[cfg(test)]
mod tests;
