//! The system bus (D-Bus), with an end to every wait.

use std::time::Duration;

use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::{Connection, proxy};

/// For the answer to a call: daemons answer these from memory.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to the system bus, or to the one that DBUS_SYSTEM_BUS_ADDRESS names.
pub(crate) async fn connect() -> zbus::Result<Connection> {
    let timed_out = |_| zbus::Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(TIMEOUT, Builder::system().method_timeout(TIMEOUT).build()).await.map_err(timed_out)?
}

/// Whether somebody on the bus has this name.
pub(crate) async fn has_owner(bus: &Connection, name: &'static str) -> bool {
    let asked = async {
        let bus = DBusProxy::builder(bus).cache_properties(proxy::CacheProperties::No).build().await?;
        Ok::<_, zbus::Error>(bus.name_has_owner(BusName::try_from(name)?).await?)
    };
    asked.await.unwrap_or(false)
}
