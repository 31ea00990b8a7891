//! Segmentation and receive offload in user space: the kernel and the tunnel hand each other many segments as one packet.
//!
//! A TUN device with `IFF_VNET_HDR` puts a [`VirtioHeader`] in front of each packet. What is read may be a packet of 64 KB with an
//! unfinished checksum: [`Segments`] cuts it, straight into the slots in which the segments are sealed. What is written may be
//! many packets of one flow: [`Merger`] finds them, and they leave with one call. All of it is octets in, octets out.

mod flow;
mod group;
mod merge;
mod octets;
mod segments;
mod template;
mod virtio;

pub use group::MAX_GROUP_PACKETS;
pub use merge::{Merged, Merger, Merging};
pub use segments::Segments;
pub use virtio::{Segmentation, VirtioHeader};

#[cfg(test)]
mod tests;
