//! Names of interfaces and their numbers, where no netlink connection is at hand (`netdevice(7)`).

use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

/// The index of the interface of this name, if there is one.
pub fn index_of(name: &str) -> Option<u32> {
    netdevice::name_to_index(socket()?, name).ok()
}

/// The name of the interface of this index, if there is one.
pub fn name_of(index: u32) -> Option<String> {
    netdevice::index_to_name(socket()?, index).ok()
}

fn socket() -> Option<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_lead_to_each_other() {
        let index = index_of("lo").unwrap();
        assert_eq!(name_of(index).as_deref(), Some("lo"));
        assert_eq!((index_of("nowhere"), name_of(0)), (None, None));
    }
}
