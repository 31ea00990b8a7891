//! Somebody on the way who copies Binding Updates and delivers each from an address of his own before the original arrives; and behind
//! each the next packet with user data, as if the node went on from there.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};

use crate::lab::pcap::{self, Datagram};
use crate::lab::plan;

/// What he does.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// The first of his addresses; each Binding Update goes from the next one.
    pub from: Ipv4Addr,
    /// How many Binding Updates he copies before he goes away.
    pub thefts: u32,
    /// Whether the originals never arrive.
    pub withholds: bool,
}

/// Him at work.
#[derive(Debug)]
pub struct Attacker {
    attack: Attack,
    /// The latest that he copied, and how many there were.
    copied: Option<Vec<u8>>,
    count: u32,
    /// Where the latest copy came from, until user data has followed it.
    followed_from: Option<Ipv4Addr>,
}

/// What he makes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Theft {
    /// What he sends at once, unless he has sent it already.
    pub copy: Option<Vec<u8>>,
    /// Whether the original goes on.
    pub original_goes_on: bool,
}

impl Attacker {
    /// Nothing copied yet.
    pub fn new(attack: Attack) -> Self {
        Self { attack, copied: None, count: 0, followed_from: None }
    }

    /// Looks at an IP packet; `None` for one that does not interest him.
    pub fn sees(&mut self, packet: &[u8]) -> Result<Option<Theft>> {
        let Some(datagram) = pcap::read_packet(packet) else { return Ok(None) };
        match ptype_to_home_agent(&datagram) {
            Some(8) => self.sees_update(datagram),
            Some(1) => self.sees_user_data(&datagram),
            _ => Ok(None),
        }
    }

    fn sees_update(&mut self, update: Datagram) -> Result<Option<Theft>> {
        let original_goes_on = !self.attack.withholds;
        // The node sends a Binding Update that matters several times.
        if self.copied.as_ref() == Some(&update.payload) {
            return Ok(Some(Theft { copy: None, original_goes_on }));
        }
        if self.count == self.attack.thefts {
            return Ok(None);
        }
        let from = Ipv4Addr::from_bits(self.attack.from.to_bits() + self.count);
        let copy = copy(&update, from)?;
        self.count += 1;
        self.copied = Some(update.payload);
        self.followed_from = Some(from);
        Ok(Some(Theft { copy: Some(copy), original_goes_on }))
    }

    fn sees_user_data(&mut self, datagram: &Datagram) -> Result<Option<Theft>> {
        let Some(from) = self.followed_from.take() else { return Ok(None) };
        Ok(Some(Theft { copy: Some(copy(datagram, from)?), original_goes_on: true }))
    }
}

fn copy(datagram: &Datagram, from: Ipv4Addr) -> Result<Vec<u8>> {
    let copy = Datagram { from: SocketAddr::new(from.into(), datagram.from.port()), ..datagram.clone() };
    pcap::ip_packet(&copy).context("a copy of a packet is none")
}

/// Of what goes to the home agent's port over IPv4: 8 of a Binding Update, 1 of user data.
fn ptype_to_home_agent(datagram: &Datagram) -> Option<u8> {
    let is_to_home_agent = datagram.to.is_ipv4() && datagram.to.port() == plan::PORT;
    datagram.payload.first().map(|octet| octet >> 4).filter(|_| is_to_home_agent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(to: u16, payload: &[u8]) -> Vec<u8> {
        let (from, to) = (([198, 51, 100, 2], 5000).into(), ([203, 0, 113, 2], to).into());
        pcap::ip_packet(&Datagram { from, to, payload: payload.to_vec() }).unwrap()
    }

    #[test]
    fn each_binding_update_is_copied_once_from_an_address_of_its_own_until_he_has_enough() {
        let attack = Attack { from: [203, 0, 113, 66].into(), thefts: 2, withholds: true };
        let mut attacker = Attacker::new(attack);
        let mut sees = |packet: Vec<u8>| attacker.sees(&packet).unwrap();
        assert_eq!(sees(packet(plan::PORT, &[0x10, 1])), None, "user data");
        assert_eq!(sees(packet(9, &[0x80, 1])), None, "somebody else's");
        let sources = [[0x80, 1], [0x80, 1], [0x80, 2], [0x80, 3]].map(|payload| {
            sees(packet(plan::PORT, &payload)).map(|theft| {
                assert!(!theft.original_goes_on);
                theft.copy.map(|copy| pcap::read_packet(&copy).unwrap().from.ip().to_string())
            })
        });
        assert_eq!(sources, [Some(Some("203.0.113.66".to_owned())), Some(None), Some(Some("203.0.113.67".to_owned())), None]);
    }

    #[test]
    fn the_first_user_data_behind_a_copied_binding_update_is_copied_from_the_same_address_and_goes_on() {
        let mut attacker = Attacker::new(Attack { from: [203, 0, 113, 66].into(), thefts: 1, withholds: true });
        let mut sees = |payload: &[u8]| attacker.sees(&packet(plan::PORT, payload)).unwrap();
        assert_eq!(sees(&[0x10, 1]), None);
        sees(&[0x80, 1]);
        let theft = sees(&[0x10, 2]).unwrap();
        let copied = pcap::read_packet(&theft.copy.unwrap()).unwrap();
        assert_eq!((copied.from, &copied.payload[..]), (([203, 0, 113, 66], 5000).into(), &[0x10, 2][..]));
        assert!(theft.original_goes_on);
        assert_eq!(sees(&[0x10, 3]), None, "one is enough");
    }
}
