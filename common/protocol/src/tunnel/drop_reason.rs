//! Why a packet was dropped. One name everywhere: the variant, the counter's label, the word in `status` and in the tests.

use std::fmt;

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $label:literal,)+) => {
        /// Why a packet was dropped; counted, never answered, never logged above TRACE.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The reason's name in status and metrics.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// Shorter than the envelope and the suite's trailer, no whole number of blocks, or longer than a receive slot.
    Truncated => "truncated",
    /// PType 2 to 7 or 9 to 15 (RFC 6618 section 6.2).
    UnassignedPType => "unassigned-ptype",
    /// PType 0 under an SA whose `mip6-sas` is 1, or from or to an address that may not send in the clear.
    PlaintextRefused => "plaintext-refused",
    /// No SA has this SPI, SPI 0 with a PType other than 0 included.
    UnknownSpi => "unknown-spi",
    /// The sequence number was received before, or is below the highest one received before five minutes of silence.
    ReplayedSequence => "replayed-sequence",
    /// The sequence number is older than the replay window.
    OutsideWindow => "outside-window",
    /// The ICV is wrong.
    WrongIcv => "wrong-icv",
    /// Padding is not 1, 2, 3 … or longer than the packet (RFC 4303 section 2.4).
    BadPadding => "bad-padding",
    /// An AEAD's IV is not the sequence number.
    BadIv => "bad-iv",
    /// Next Header does not agree with the inner packet, or is none that the PType may carry.
    BadNextHeader => "bad-next-header",
    /// The inner packet's own length is wrong.
    BadInnerPacket => "bad-inner-packet",
    /// The inner source (at a home agent) or destination (at a mobile node) is neither a home address of the SA nor in
    /// a network behind its node.
    ForeignHomeAddress => "foreign-home-address",
    /// An inner address that may not cross the tunnel: link-local, multicast source, unspecified, loopback.
    ForbiddenInnerAddress => "forbidden-inner-address",
    /// For the home agent itself, and neither ICMP echo nor DNS.
    ForHomeAgent => "for-home-agent",
    /// The outer header says that the path is congested, and the inner packet's transport has no ECN: a loss tells it (RFC 6040
    /// section 4.2).
    CongestionNotEct => "congestion-not-ect",
    /// Good data under a good SA, but there is no binding.
    NoBinding => "no-binding",
    /// The SA was delivered again after a restart: it only answers Binding Updates with 176.
    ReplayStateLost => "replay-state-lost",
    /// User data as PType 1 under an SA whose packets are not numbered (profile draft-04 with a NULL suite).
    UnnumberedData => "unnumbered-data",
    /// The SA's last sequence number was sent, or the last octet that its cipher may protect.
    SaExhausted => "sa-exhausted",
    /// The SA's validity has ended.
    SaExpired => "sa-expired",
    /// No tunnel for the packet's home address; at a home agent answered with ICMP address unreachable.
    NoTunnel => "no-tunnel",
    /// Longer than what the tunnel's path carries; its sender is told by ICMP.
    TooBig => "too-big",
    /// The path is not proved and its allowance is used up.
    AllowanceUsedUp => "allowance-used-up",
    /// The batch has no room left.
    BatchFull => "batch-full",
    /// A PType 8 payload that is no chain of extension headers and one Mobility Header.
    MalformedSignalling => "malformed-signalling",
    /// A Mobility Header whose checksum is wrong.
    BadChecksum => "bad-checksum",
    /// A Mobility Header of a type that is not handled here.
    UnexpectedMobilityHeader => "unexpected-mobility-header",
    /// A Binding Update for a home address that is not the SA's own.
    SpoofedHomeAddress => "spoofed-home-address",
    /// A Heartbeat Request from where no node can be, or one too many.
    HeartbeatNotAnswered => "heartbeat-not-answered",
    /// More signalling, or more Binding Updates of it, than a node has reason to send.
    SignallingTooOften => "signalling-too-often",
    /// Signalling, or another event, found control's queue full.
    EventQueueFull => "event-queue-full",
    /// A datagram under another worker's SA found that worker's queue full.
    WorkerQueueFull => "worker-queue-full",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_label_of_its_own_and_stands_at_its_own_index() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(DropReason::ALL.iter().filter(|other| other.label() == reason.label()).count(), 1);
        }
    }
}
