//! Traffic for the lab's namespaces; see `lab::traffic`. Every result is one line of JSON.
#![allow(clippy::print_stdout, reason = "a command-line program prints its result")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use protocol::nat64::Nat64Prefix;
use protocol::wire::pref64::Pref64;
use tests::lab::aaa::load;
use tests::lab::emulator::{self, attacker::Attack};
use tests::lab::traffic::{advertise, burst, inject, portal, press, relay, tcp, udp};
use tests::link::Link;

/// Traffic of the lab's checks.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve TCP transfers until killed
    ServeTcp { listen: SocketAddr },
    /// Send octets to a server, which proves their SHA-256
    Send {
        octets: u64,
        #[arg(long)]
        to: SocketAddr,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Octets a second at most
        #[arg(long, default_value_t = 0)]
        rate: u64,
    },
    /// Fetch octets from a server and prove their SHA-256
    Fetch {
        octets: u64,
        #[arg(long)]
        from: SocketAddr,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Octets a second at most
        #[arg(long, default_value_t = 0)]
        rate: u64,
    },
    /// Serve numbered UDP streams until killed
    ServeUdp { listen: SocketAddr },
    /// Stream numbered UDP packets both ways and measure gaps and losses
    UdpStream {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        seconds: f64,
        /// Packets a second, each way
        #[arg(long, default_value_t = 1000)]
        rate: u32,
        /// UDP payload of each packet, each way; the shortest when less than its header
        #[arg(long, default_value_t = 0)]
        octets: u16,
    },
    /// Count a burst of UDP packets; prints a line when it listens
    ReceiveBurst {
        listen: SocketAddr,
        #[arg(long)]
        session: u64,
    },
    /// Send a burst of UDP packets
    SendBurst {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        session: u64,
        #[arg(long)]
        seconds: f64,
        /// Packets a second; 0: as many as go
        #[arg(long, default_value_t = 0.0)]
        rate: f64,
        /// UDP payload of each packet
        #[arg(long, default_value_t = 64)]
        octets: usize,
    },
    /// Be a link behind a TUN device until killed: packets come out again later, twice or never
    Emulate {
        device: String,
        /// Seconds one way
        #[arg(long)]
        delay: f64,
        /// Up to so many seconds more
        #[arg(long, default_value_t = 0.0)]
        jitter: f64,
        /// Share of packets
        #[arg(long, default_value_t = 0.0)]
        loss: f64,
        /// Share of packets
        #[arg(long, default_value_t = 0.0)]
        duplication: f64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The first address of somebody on the way who sends copies of Binding Updates
        #[arg(long)]
        thief: Option<Ipv4Addr>,
        /// How many Binding Updates are copied
        #[arg(long, default_value_t = 1)]
        thefts: u32,
        /// Whether their originals never arrive
        #[arg(long, default_value_t = false, action = clap::ArgAction::Set)]
        withhold: bool,
    },
    /// End TLS and start it again towards a HAC, until killed
    Relay {
        listen: SocketAddr,
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        name: String,
        #[arg(long)]
        certificate: PathBuf,
        #[arg(long)]
        key: PathBuf,
        #[arg(long)]
        ca: PathBuf,
    },
    /// Authenticate at a HAC again and again with each of these configurations of `mn`
    Authenticate {
        configurations: Vec<PathBuf>,
        #[arg(long)]
        times: usize,
    },
    /// Send UDP and open TCP connections to each destination again and again, whatever the system says, until killed
    Press {
        destinations: Vec<SocketAddr>,
        /// From this address too, beside the one that the system chooses
        #[arg(long)]
        from: Vec<IpAddr>,
    },
    /// Be a captive portal's web server until killed
    ServePortal { listen: SocketAddr },
    /// Advertise a default router, an on-link prefix of 64 bits and a route that is more specific
    Advertise {
        interface: u32,
        prefix: Ipv6Addr,
        /// Prefix length of the route
        #[arg(long, default_value_t = 128)]
        length: u8,
    },
    /// Advertise a NAT64's prefix until killed
    AdvertiseNat64 {
        interface: u32,
        prefix: Ipv6Addr,
        /// Prefix length
        #[arg(long, default_value_t = 96)]
        length: u8,
        /// Seconds
        #[arg(long)]
        lifetime: u64,
    },
    /// Send the datagrams of a capture that went to an address and port again
    Inject {
        capture: PathBuf,
        #[arg(long)]
        to: SocketAddr,
        #[arg(long, default_value = "replay")]
        mutation: inject::Mutation,
        /// Source and destination of the inner packet of `--mutation clear`
        #[arg(long, num_args = 2)]
        inner: Option<Vec<Ipv6Addr>>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::ServeTcp { listen } => tcp::serve(listen)?,
        Command::Send { octets, to, seed, rate } => return transfer(to, tcp::Direction::Up, tcp::Content { octets, seed, rate }),
        Command::Fetch { octets, from, seed, rate } => {
            return transfer(from, tcp::Direction::Down, tcp::Content { octets, seed, rate });
        }
        Command::ServePortal { listen } => portal::serve(listen)?,
        Command::ServeUdp { listen } => udp::serve(listen)?,
        Command::UdpStream { to, seconds, rate, octets } => {
            let length = Duration::try_from_secs_f64(seconds).context("--seconds")?;
            println!("{}", serde_json::to_string(&udp::stream(to, length, udp::Load { rate, octets })?)?);
        }
        Command::ReceiveBurst { listen, session } => {
            let socket = burst::listen(listen)?;
            println!("listening");
            println!("{}", serde_json::to_string(&burst::receive(&socket, session)?)?);
        }
        Command::SendBurst { to, session, seconds, rate, octets } => {
            let length = Duration::try_from_secs_f64(seconds).context("--seconds")?;
            println!("{}", serde_json::to_string(&burst::send(to, session, burst::Load { rate, octets, length })?)?);
        }
        Command::Emulate { device, delay, jitter, loss, duplication, seed, thief, thefts, withhold } => {
            let [delay, jitter] = [delay, jitter].map(Duration::try_from_secs_f64);
            let (delay, jitter) = (delay.context("--delay")?, jitter.context("--jitter")?);
            let attack = thief.map(|from| Attack { from, thefts, withholds: withhold });
            emulator::run(&device, Link { delay, jitter, loss, duplication }, seed, attack)?;
        }
        Command::Relay { listen, to, name, certificate, key, ca } => {
            relay::serve(listen, to, &name, relay::Files { certificate: &certificate, key: &key, ca: &ca })?;
        }
        Command::Authenticate { configurations, times } => {
            println!("{}", serde_json::to_string(&load::authenticate(&configurations, times)?)?);
        }
        Command::Press { destinations, from } => press::press(&destinations, &from)?,
        Command::Advertise { interface, prefix, length } => advertise::advertise(interface, prefix, length)?,
        Command::AdvertiseNat64 { interface, prefix, length, lifetime } => {
            let prefix = Nat64Prefix::new(prefix, length).context("no NAT64 has such a prefix")?;
            advertise::advertise_nat64(interface, Pref64 { prefix, lifetime: Duration::from_secs(lifetime) })?;
        }
        Command::Inject { capture, to, mutation, inner } => {
            let inner = inner.and_then(|addresses| Some((*addresses.first()?, *addresses.get(1)?)));
            println!("{{\"sent\":{}}}", inject::inject(&capture, to, mutation, inner)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn transfer(server: SocketAddr, direction: tcp::Direction, content: tcp::Content) -> Result<ExitCode> {
    let transfer = tcp::transfer(server, direction, content)?;
    println!("{}", serde_json::to_string(&transfer)?);
    Ok(if transfer.intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
