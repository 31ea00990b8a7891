//! What the tests of this crate start from.

use std::io::Write;
use std::sync::{Arc, Mutex};

use protocol::addr::CareOfAddress;
use protocol::sa::{CipherSuite, SecurityAssociation, Spi};
use protocol::wire::mobility::Ends;

use crate::movement::Attachment;

/// An SA with home addresses and home agent of both families.
pub(crate) fn association(number: u32) -> SecurityAssociation {
    fixture::association(Spi::new(0x1000 + number).unwrap(), CipherSuite::NullSha)
}

/// Of a Mobility Header from the home agent.
pub(crate) fn ends_at_mobile_node(sa: &SecurityAssociation) -> Ends {
    Ends { source: sa.home_agent.in_mobility_header(), destination: sa.home.in_mobility_header() }
}

/// What is logged at INFO and above.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines that are logged while `does` runs.
    pub(crate) fn of(does: impl FnOnce()) -> Vec<String> {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).without_time().finish();
        tracing::subscriber::with_default(subscriber, does);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An IPv4 network.
pub(crate) fn wifi() -> Attachment {
    attachment(1, "198.51.100.7")
}

/// An IPv6 network.
pub(crate) fn lte() -> Attachment {
    attachment(2, "2001:db8:2::7")
}

fn attachment(interface: u32, ip: &str) -> Attachment {
    Attachment { interface, name: format!("if{interface}"), care_of: CareOfAddress(ip.parse().unwrap()), metric: 100 }
}
