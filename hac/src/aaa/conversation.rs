//! One EAP run with one AAA server.
//!
//! `session` begins it with the mobile node's first EAP response and asks once a round. The server is chosen in the first round,
//! when a silent one may be left for the next; from then on State and the method's half-way are that server's alone.

use std::net::IpAddr;
use std::sync::Arc;

use protocol::eap::Packet;

use super::answer::Answer;
use super::attribute::{Kind, at_most_one};
use super::client::Client;
use super::eap::EapPacket;
use super::error::{AaaError, Unusable};
use super::packet::MAX_VALUE;
use super::reply::Reply;
use super::request::{AccessRequest, Content};
use super::server::Server;

/// One EAP run. When it is dropped, or a future of [`Self::ask`] is, nothing waits for an answer any more.
pub struct Conversation {
    client: Arc<Client>,
    calling_station: IpAddr,
    number: u32,
    server: Option<Arc<Server>>,
    state: Option<Vec<u8>>,
    /// The Identifier of the server's last EAP request; `None` before there is one.
    identifier: Option<u8>,
}

impl Conversation {
    pub(super) fn new(client: Arc<Client>, calling_station: IpAddr, number: u32) -> Self {
        Self { client, calling_station, number, server: None, state: None, identifier: None }
    }

    /// Passes the mobile node's EAP packet to the server and waits for what it says.
    ///
    /// `user_name` is the Type-Data of the EAP-Response/Identity, in every round the same (RFC 3579 section 2.1); `eap` the whole
    /// packet.
    ///
    /// # Errors The packet is no response to the server's last request (RFC 3579 section 2.2) or does not fit; no server answers;
    /// what it answers is of no use.
    pub async fn ask(&mut self, user_name: &[u8], eap: &[u8]) -> Result<Answer, AaaError> {
        let content = self.content(user_name, eap)?;
        let (server, reply) = self.reply(&content).await?;
        let config = &server.peer.config;
        let read =
            Answer::of(&reply, &config.secret).and_then(|answer| self.follow(&answer, &reply, &config.name).map(|()| answer));
        let answer = read.map_err(|unusable| AaaError::Unusable { server: config.name.clone(), unusable })?;
        self.server = Some(server);
        Ok(answer)
    }

    /// What the next round needs of this one.
    fn follow(&mut self, answer: &Answer, reply: &Reply, server: &str) -> Result<(), Unusable> {
        match answer {
            Answer::Challenge { eap } => {
                self.state = at_most_one(reply.attributes(), Kind::STATE)?.map(<[u8]>::to_vec);
                self.identifier = EapPacket::parse(eap).map(|request| request.packet().identifier());
            }
            Answer::Accept(accept) if accept.eap.is_none() => {
                tracing::warn!(server, "the AAA server grants access without an EAP-Success: the mobile node hears of none");
            }
            Answer::Accept(_) | Answer::Reject { .. } => {}
        }
        Ok(())
    }

    fn content(&self, user_name: &[u8], eap: &[u8]) -> Result<Content, AaaError> {
        let eap =
            EapPacket::parse(eap).filter(|eap| matches!(eap.packet(), Packet::Response { .. })).ok_or(AaaError::NotAResponse)?;
        if self.identifier.is_some_and(|identifier| identifier != eap.packet().identifier()) {
            return Err(AaaError::NotAResponse);
        }
        if user_name.is_empty() || user_name.len() > MAX_VALUE {
            return Err(AaaError::Identity(user_name.len()));
        }
        let nas_identifier = &self.client.nas_identifier;
        let (nas_port, calling_station, state) = (self.number, self.calling_station, self.state.as_deref());
        Ok(Content::access_request(&AccessRequest { user_name, nas_identifier, nas_port, calling_station, state, eap })?)
    }

    /// The reply of the run's server; in the first round of the first server that has one.
    async fn reply(&self, content: &Content) -> Result<(Arc<Server>, Reply), AaaError> {
        if let Some(server) = &self.server {
            return Ok((Arc::clone(server), server.ask(content).await?));
        }
        self.client.servers.ask(content).await
    }
}
