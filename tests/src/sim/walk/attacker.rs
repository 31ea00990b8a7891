//! Somebody who sees all that both ends send, and sends what he likes, from where he likes, faster than they.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::transition::Attack;
use crate::sim::World;
use crate::sim::network::Datagram;

/// Datagrams that are flipped at a time.
const FLIPPED: usize = 16;

/// What he has done so far.
#[derive(Default)]
pub(super) struct Attacker {
    /// His own addresses, each used for one datagram, and how many octets each of them was sent.
    pub(super) addresses: BTreeMap<SocketAddr, usize>,
    /// The payload of what he sent as PType 0, where nothing tells it from the mobile node's own.
    pub(super) forged: Vec<Vec<u8>>,
}

impl Attacker {
    pub(super) fn does(&mut self, attack: Attack, world: &mut World) {
        let record = &world.network.record;
        let last = |count: usize| record[record.len().saturating_sub(count)..].to_vec();
        match attack {
            Attack::Replays => last(usize::MAX).into_iter().for_each(|datagram| self.sends(datagram, world)),
            Attack::ReplaysElsewhere(count) => {
                last(count.into()).into_iter().for_each(|datagram| self.sends_from_elsewhere(datagram, world));
            }
            Attack::Reflects(count) => {
                let reflected = last(count.into()).into_iter().map(|sent| Datagram { from: sent.to, to: sent.from, ..sent });
                reflected.for_each(|datagram| self.sends(datagram, world));
            }
            Attack::Flips(bit) => {
                last(FLIPPED).into_iter().for_each(|datagram| self.sends(flipped(datagram, bit.into()), world));
            }
            Attack::CopiesBindingUpdate => {
                let update = record.iter().rev().find(|sent| sent.is_signalling() && sent.is_up()).cloned();
                update.into_iter().for_each(|datagram| self.sends_from_elsewhere(datagram, world));
            }
            Attack::CopiesLast => last(1).into_iter().for_each(|datagram| self.sends_from_elsewhere(datagram, world)),
        }
    }

    fn sends_from_elsewhere(&mut self, datagram: Datagram, world: &mut World) {
        let number = self.addresses.len() as u16;
        let from = SocketAddr::from(([203, 0, 113, 66], 1_024 + number));
        self.addresses.insert(from, 0);
        self.sends(Datagram { from, ..datagram }, world);
    }

    fn sends(&mut self, datagram: Datagram, world: &mut World) {
        if datagram.octets.starts_with(&[0; 8]) {
            self.forged.push(datagram.octets[8..].to_vec());
        }
        world.attacker_sends(datagram.from, datagram.to, &datagram.octets);
    }
}

fn flipped(mut datagram: Datagram, bit: usize) -> Datagram {
    let bit = bit * 7 % (datagram.octets.len() * 8);
    datagram.octets[bit / 8] ^= 1 << (bit % 8);
    datagram
}
