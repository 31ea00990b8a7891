//! What the daemons of a booted system are told of the access networks: addresses and routes as in the [`plan`], and
//! name servers. Each takes the system's `/etc`.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;

use crate::lab::plan;

/// An access network as an administrator knows it.
struct Access {
    name: &'static str,
    address: IpAddr,
    prefix: u8,
    router: &'static str,
    name_server: IpAddr,
}

fn accesses() -> [Access; 2] {
    let wifi = Access {
        name: plan::WIFI,
        address: plan::WIFI_CARE_OF,
        prefix: 24,
        router: "198.51.100.1",
        name_server: plan::HAC4.into(),
    };
    let lte = Access {
        name: plan::LTE,
        address: plan::LTE_CARE_OF,
        prefix: 64,
        router: "2001:db8:1::1",
        name_server: plan::HAC6.into(),
    };
    [wifi, lte]
}

/// systemd-networkd manages both.
///
/// # Errors
/// The files cannot be written.
pub fn of_networkd(etc: &Path) -> Result<()> {
    let folder = etc.join("systemd/network");
    fs::create_dir_all(&folder)?;
    for access in accesses() {
        let Access { name, address, prefix, router, name_server } = access;
        let lines = format!(
            "[Match]\nName={name}\n[Network]\nAddress={address}/{prefix}\nGateway={router}\nDNS={name_server}\nIPv6AcceptRA=no\n\
             LinkLocalAddressing=no\n"
        );
        fs::write(folder.join(format!("{name}.network")), lines)?;
    }
    Ok(())
}

/// systemd-networkd asks for an address on `wifi`, and takes what it is given.
///
/// # Errors
/// The file cannot be written.
pub fn of_networkd_by_dhcp(etc: &Path) -> Result<()> {
    let (folder, name) = (etc.join("systemd/network"), plan::WIFI);
    fs::create_dir_all(&folder)?;
    let lines = format!("[Match]\nName={name}\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n");
    Ok(fs::write(folder.join(format!("{name}.network")), lines)?)
}

/// NetworkManager asks for an address on `wifi`, by the client that it has in itself.
///
/// # Errors
/// The files cannot be written.
pub fn of_network_manager_by_dhcp(etc: &Path) -> Result<()> {
    manages(etc, "none")?;
    let name = plan::WIFI;
    let lines =
        format!("[connection]\nid={name}\ntype=ethernet\ninterface-name={name}\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=disabled\n");
    connect(etc, name, &lines)
}

/// NetworkManager has a connection for each, of which it makes only that of `wifi` by itself, and handles DNS as `dns` says
/// (`NetworkManager.conf(5)`).
///
/// # Errors
/// The files cannot be written.
pub fn of_network_manager(etc: &Path, dns: &str) -> Result<()> {
    manages(etc, dns)?;
    accesses().iter().try_for_each(|access| connect(etc, access.name, &connection(access)))
}

/// NetworkManager's own configuration.
fn manages(etc: &Path, dns: &str) -> Result<()> {
    let lines = format!("[main]\nplugins=keyfile\nno-auto-default=*\ndns={dns}\nrc-manager=symlink\n");
    Ok(fs::write(etc.join("NetworkManager/NetworkManager.conf"), lines)?)
}

/// A connection of it.
fn connect(etc: &Path, name: &str, lines: &str) -> Result<()> {
    let path = etc.join("NetworkManager/system-connections").join(format!("{name}.nmconnection"));
    fs::write(&path, lines)?;
    // It takes no other.
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?)
}

fn connection(access: &Access) -> String {
    let Access { name, address, prefix, router, name_server } = access;
    let (used, unused) = if address.is_ipv4() { ("ipv4", "ipv6") } else { ("ipv6", "ipv4") };
    let is_first = *name == plan::WIFI;
    format!(
        "[connection]\nid={name}\ntype=ethernet\ninterface-name={name}\nautoconnect={is_first}\n\
         [{used}]\nmethod=manual\naddress1={address}/{prefix},{router}\ndns={name_server};\n[{unused}]\nmethod=disabled\n"
    )
}
