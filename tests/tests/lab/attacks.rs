//! Somebody on the way copies Binding Updates and delivers each first, from an address of his own, and the packet of user data behind it,
//! while 29 Mbit/s go down: what he draws to third parties, and that the node misses nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::{self, SOON};
use tests::lab::emulator::attacker::Attack;
use tests::lab::traffic::{during, udp::Load};
use tests::lab::{Deployment, Lab, Setup, inside, pcap, plan, wait_for};
use tests::link::Link;

const ONE_WAY: Duration = Duration::from_millis(20);
/// His addresses, which lead to an interface where all is counted and nobody answers.
const FIRST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
const THIRD: &str = "third";
const BOUND: usize = 64 << 10;
const LOAD: Load = Load { rate: 3_000, octets: 1_200 };
/// Long enough for five retransmissions, and for a node that loses patience and authenticates anew.
const LENGTH: Duration = Duration::from_secs(9);

/// What he got, and how long the node needed after his last theft.
struct Outcome {
    /// Octets of IP packets, by address.
    octets: BTreeMap<IpAddr, usize>,
    recovered: Duration,
}

impl Outcome {
    fn sum(&self) -> usize {
        self.octets.values().sum()
    }
}

#[test]
fn a_third_address_gets_64_kib_when_it_has_a_binding_update_of_a_node_behind_a_nat_first() {
    inside(|lab| {
        lab.translate(plan::WIFI)?;
        let outcome = attacked(lab, 1, false)?;
        ensure!(outcome.octets.len() == 1 && (BOUND / 2..=BOUND).contains(&outcome.sum()), "{:?}", outcome.octets);
        Ok(())
    });
}

#[test]
fn a_third_address_gets_64_kib_when_it_has_a_binding_update_of_a_node_without_a_nat_first() {
    inside(|lab| {
        let outcome = attacked(lab, 1, false)?;
        ensure!(outcome.octets.len() == 1 && (BOUND / 2..=BOUND).contains(&outcome.sum()), "{:?}", outcome.octets);
        Ok(())
    });
}

#[test]
fn five_addresses_share_64_kib_when_each_has_a_binding_update_that_never_arrives_itself() {
    inside(|lab| {
        lab.translate(plan::WIFI)?;
        lab.expect_warning("mn", "the home agent does not answer");
        let outcome = attacked(lab, 5, true)?;
        ensure!(outcome.octets.len() == 5 && (BOUND / 2..=BOUND).contains(&outcome.sum()), "{:?}", outcome.octets);
        Ok(())
    });
}

/// The node is asked for a new SA, and its Binding Updates are copied; the old path has to carry all of the stream meanwhile.
fn attacked(lab: &Lab, thefts: u32, withholds: bool) -> Result<Outcome> {
    lab.attach(plan::WIFI)?;
    let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
    // He knows a Binding Update by its PType alone, so the node is to send no other signalling: the path's MTU is not searched for.
    deployment::edit(&deployment::configuration(lab, "mn")?, &["tunnel", "mtu"], 1_400.into())?;
    deployment.mn_up(&[])?;
    let _servers = lab.serve_traffic()?;
    lab.ip_batch(plan::NET, "link add third type veth peer name nobody\nlink set nobody up\nlink set third arp off up\nroute add 203.0.113.64/26 dev third")?;
    let mut emulator = lab.emulate_attacked(&Link::calm(ONE_WAY), 1, Some(Attack { from: FIRST, thefts, withholds }))?;
    let third = lab.capture(plan::NET, THIRD, "third", 0, "ip")?;
    let updates = lab.capture(plan::NET, plan::HA, "updates", 0, "udp dst port 7872 and udp[8] & 0xf0 = 0x80")?;
    let streams = during(
        || lab.load(plan::CN6, LENGTH, LOAD),
        || {
            std::thread::sleep(Duration::from_millis(500));
            let renewed = deployment.command("mn", &["renew"])?;
            ensure!(renewed.status.success(), "mn renew: {renewed:?}");
            Ok(())
        },
    )?;
    emulator.check()?;
    is_bound_again(&deployment)?;
    let outcome = Outcome { octets: octets_by_address(&third.stop()?)?, recovered: recovery(&updates.stop()?)? };
    eprintln!(
        "{thefts} thefts, originals {}: {} octets to {} addresses; the right Binding Update {:.0?} after the last theft; \
         {} of {} packets lost on the way down, longest gap {:.0} ms",
        if withholds { "never" } else { "later" },
        outcome.sum(),
        outcome.octets.len(),
        outcome.recovered,
        streams.down.lost,
        streams.down.sent,
        streams.down.longest_gap_ms
    );
    ensure!(streams.down.lost == 0 && streams.down.duplicates == 0, "the old path has not gone on: {streams:?}");
    deployment.ping_everywhere()?;
    Ok(outcome)
}

fn is_bound_again(deployment: &Deployment<'_>) -> Result<()> {
    wait_for("the binding to be the node's again", SOON, || {
        let bindings = deployment.bindings()?;
        let binding = &bindings["bindings"][0];
        let remote = binding["remote"].as_str().context("no `remote`")?;
        let is_own = [plan::NAT_OUTER4.to_string(), plan::WIFI_CARE_OF.to_string()].iter().any(|own| remote.starts_with(own));
        ensure!(is_own && binding["proved"] == true, "the binding is {binding}");
        Ok(Some(()))
    })
}

fn octets_by_address(capture: &Path) -> Result<BTreeMap<IpAddr, usize>> {
    let mut octets = BTreeMap::new();
    for datagram in pcap::read(capture)? {
        *octets.entry(datagram.to.ip()).or_default() += 28 + datagram.payload.len();
    }
    Ok(octets)
}

/// From the last copy that went to the home agent to the first Binding Update from the node itself that is not a late original.
fn recovery(capture: &Path) -> Result<Duration> {
    let updates = pcap::read_timed(capture)?;
    let is_theft = |from: IpAddr| matches!(from, IpAddr::V4(ip) if (FIRST..=Ipv4Addr::new(203, 0, 113, 126)).contains(&ip));
    let stolen: Vec<_> = updates.iter().filter(|(_, update)| is_theft(update.from.ip())).collect();
    let (last, _) = stolen.last().context("nothing was stolen")?;
    let is_fresh = |payload: &[u8]| stolen.iter().all(|(_, theft)| theft.payload != payload);
    let own = updates.iter().find(|(at, update)| at > last && !is_theft(update.from.ip()) && is_fresh(&update.payload));
    Ok(own.context("no Binding Update of the node after the last theft")?.0 - *last)
}
