//! Traffic of the lab's checks, run as `labtool` inside the namespaces: a TCP transfer that proves its octets, a numbered UDP
//! stream that measures gaps, and captured datagrams sent again. Results are one line of JSON.

pub mod inject;
pub mod ping;
pub mod tcp;
pub mod udp;
