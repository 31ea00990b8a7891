//! Policy rules: which table is asked for which packet; and the clean-up after a crash.

use std::net::IpAddr;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::rule::{RuleAction as KernelAction, RuleAttribute, RuleFlags, RuleMessage};

use super::{Change, Family, Netlink, NetlinkError, RouteFilter};

/// What the kernel says for "no suppressed prefix length".
const NO_SUPPRESSION: u32 = u32::MAX;
/// FIB_RULE_FIND_SADDR of `linux/fib_rules.h`: a packet without a source matches when the one that the table's route would give it
/// does. IPv6 alone knows it.
const FIND_SOURCE: RuleFlags = RuleFlags::from_bits_retain(0x0001_0000);
/// The device of packets that this host makes; forwarded ones come from another.
const LOOPBACK: &str = "lo";

/// A policy rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose packets.
    pub family: Family,
    /// Lower is asked first; rules of one priority in the order in which they were added.
    pub priority: u32,
    /// What happens to packets that match.
    pub action: RuleAction,
    /// Which packets match.
    pub packets: Selector,
    /// Routes with a prefix of this length or shorter do not count: 0 leaves the default route out.
    pub suppress_prefix_length: Option<u32>,
}

/// What a [`Rule`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// This table is asked.
    Table(u32),
    /// The rules before the one of this priority, which is a higher one, are left out.
    Goto(u32),
    /// Nothing: a rule to go to.
    Nop,
}

/// Which packets match a [`Rule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All.
    All,
    /// Those with this firewall mark.
    Marked(u32),
    /// Those without this firewall mark.
    NotMarked(u32),
    /// Those from this address. In IPv4 a packet whose source is yet to be chosen is one from 0.0.0.0.
    From(IpAddr),
    /// Those from this address, and those whose source is yet to be chosen and will be it; IPv6 alone.
    FromOrUnset(IpAddr),
    /// Those that are forwarded: that this host has not made.
    Forwarded,
    /// Those that came in by this device; answers to how they would be answered are looked up so too (reverse path filters).
    FromDevice(DeviceName),
    /// Some that are described in another way; never written.
    Other,
}

/// The name of a device, which may be gone or not there yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceName {
    /// Ended by 0, as the kernel has it.
    octets: [u8; libc::IFNAMSIZ],
}

/// What [`Netlink::clean_up`] found and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanUp {
    /// Policy rules.
    pub rules: usize,
    /// Routes.
    pub routes: usize,
}

impl Rule {
    /// Every packet to `table`.
    pub fn new(family: Family, priority: u32, table: u32) -> Self {
        let (action, packets) = (RuleAction::Table(table), Selector::All);
        Self { family, priority, action, packets, suppress_prefix_length: None }
    }

    /// Something else than a look-up.
    #[must_use]
    pub fn with_action(self, action: RuleAction) -> Self {
        Self { action, ..self }
    }

    /// Only these packets.
    #[must_use]
    pub fn only(self, packets: Selector) -> Self {
        Self { packets, ..self }
    }

    /// Routes whose prefix is `length` or shorter do not count: `suppress_prefixlength LENGTH`.
    #[must_use]
    pub fn suppressing(self, length: u32) -> Self {
        Self { suppress_prefix_length: Some(length), ..self }
    }

    fn parse(message: &RuleMessage) -> Option<Self> {
        let family = Family::known(message.header.family)?;
        // The rule of priority 0 is shown without its priority.
        let mut rule = Self::new(family, 0, message.header.table.into());
        let mut found = Found { flags: message.header.flags, ..Found::default() };
        for attribute in &message.attributes {
            if let RuleAttribute::Priority(priority) = attribute {
                rule.priority = *priority;
            } else if let RuleAttribute::Table(table) = attribute {
                rule.action = RuleAction::Table(*table);
            } else if let RuleAttribute::Goto(target) = attribute {
                found.target = *target;
            } else if let RuleAttribute::SuppressPrefixLen(length) = attribute {
                rule.suppress_prefix_length = Some(*length).filter(|length| *length != NO_SUPPRESSION);
            } else {
                found.take(attribute, message.header.src_len);
            }
        }
        if message.header.action == KernelAction::Goto {
            rule.action = RuleAction::Goto(found.target);
        } else if message.header.action == KernelAction::Nop {
            rule.action = RuleAction::Nop;
        }
        rule.packets = found.packets();
        Some(rule)
    }

    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = self.family.into();
        message.attributes = vec![RuleAttribute::Priority(self.priority)];
        message.header.action = match self.action {
            RuleAction::Table(table) => {
                message.header.table = u8::try_from(table).unwrap_or(libc::RT_TABLE_COMPAT);
                message.attributes.push(RuleAttribute::Table(table));
                KernelAction::ToTable
            }
            RuleAction::Goto(target) => {
                message.attributes.push(RuleAttribute::Goto(target));
                KernelAction::Goto
            }
            RuleAction::Nop => KernelAction::Nop,
        };
        self.packets.describe(&mut message);
        message.attributes.extend(self.suppress_prefix_length.map(RuleAttribute::SuppressPrefixLen));
        message
    }

    fn text(&self, verb: &str) -> String {
        format!("{verb} the rule of priority {} ({:?}, {:?}, {:?})", self.priority, self.action, self.packets, self.family)
    }
}

impl DeviceName {
    /// `None` for a name that no device can have: empty, or of more than 15 octets.
    pub fn new(name: &str) -> Option<Self> {
        let mut octets = [0; libc::IFNAMSIZ];
        let part = octets.get_mut(..name.len()).filter(|part| !part.is_empty() && part.len() < libc::IFNAMSIZ)?;
        part.copy_from_slice(name.as_bytes());
        Some(Self { octets })
    }

    fn text(self) -> String {
        String::from_utf8_lossy(self.octets.split(|octet| *octet == 0).next().unwrap_or_default()).into_owned()
    }
}

impl std::fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl Selector {
    fn describe(self, message: &mut RuleMessage) {
        let attribute = match self {
            Self::All | Self::Other => None,
            Self::Marked(mark) | Self::NotMarked(mark) => Some(RuleAttribute::FwMark(mark)),
            Self::From(source) | Self::FromOrUnset(source) => {
                message.header.src_len = prefix_len(source);
                Some(RuleAttribute::Source(source))
            }
            Self::Forwarded => Some(RuleAttribute::Iifname(LOOPBACK.to_owned())),
            Self::FromDevice(name) => Some(RuleAttribute::Iifname(name.text())),
        };
        message.attributes.extend(attribute);
        message.header.flags = match self {
            Self::NotMarked(_) | Self::Forwarded => RuleFlags::Invert,
            Self::FromOrUnset(_) => FIND_SOURCE,
            Self::All | Self::Marked(_) | Self::From(_) | Self::FromDevice(_) | Self::Other => RuleFlags::empty(),
        };
    }
}

/// What a rule says of its packets.
#[derive(Default)]
struct Found {
    flags: RuleFlags,
    mark: Option<u32>,
    source: Option<IpAddr>,
    interface: Option<String>,
    target: u32,
    other: bool,
}

impl Found {
    fn take(&mut self, attribute: &RuleAttribute, source_len: u8) {
        if let RuleAttribute::FwMark(mark) = attribute {
            self.mark = Some(*mark);
        } else if let RuleAttribute::FwMask(mask) = attribute {
            self.other |= *mask != u32::MAX;
        } else if let RuleAttribute::Source(source) = attribute {
            self.source = Some(*source);
            self.other |= source_len != prefix_len(*source);
        } else if let RuleAttribute::Iifname(name) = attribute {
            self.interface = Some(name.clone());
        } else {
            self.other |= matches!(attribute, RuleAttribute::Destination(_) | RuleAttribute::Oifname(_));
        }
    }

    fn packets(&self) -> Selector {
        let (inverted, finding) = (self.flags.contains(RuleFlags::Invert), self.flags.contains(FIND_SOURCE));
        match (self.mark, self.source, self.interface.as_deref()) {
            _ if self.other => Selector::Other,
            (None, None, None) if !inverted => Selector::All,
            (Some(mark), None, None) if inverted => Selector::NotMarked(mark),
            (Some(mark), None, None) => Selector::Marked(mark),
            (None, Some(source), None) if finding => Selector::FromOrUnset(source),
            (None, Some(source), None) if !inverted => Selector::From(source),
            (None, None, Some(LOOPBACK)) if inverted => Selector::Forwarded,
            (None, None, Some(name)) if !inverted => DeviceName::new(name).map_or(Selector::Other, Selector::FromDevice),
            _ => Selector::Other,
        }
    }
}

fn prefix_len(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Netlink {
    /// Adds a rule.
    ///
    /// # Errors
    /// CAP_NET_ADMIN is missing.
    pub async fn add_rule(&self, rule: &Rule) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::NewRule(rule.message());
        self.change(&rule.text("add"), request, NLM_F_CREATE | NLM_F_EXCL, &[libc::EEXIST]).await
    }

    /// Deletes a rule.
    ///
    /// # Errors
    /// CAP_NET_ADMIN is missing.
    pub async fn delete_rule(&self, rule: &Rule) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::DelRule(rule.message());
        self.change(&rule.text("delete"), request, 0, &[libc::ENOENT]).await
    }

    /// Lists the rules of both families, or those of one priority.
    ///
    /// # Errors
    /// No answer.
    pub async fn rules(&self, priority: Option<u32>) -> Result<Vec<Rule>, NetlinkError> {
        let messages = self.rule_messages().await?;
        let rules = messages.iter().filter_map(Rule::parse);
        Ok(rules.filter(|rule| priority.is_none_or(|only| only == rule.priority)).collect())
    }

    async fn rule_messages(&self) -> Result<Vec<RuleMessage>, NetlinkError> {
        let mut rules = Vec::new();
        for family in Family::BOTH {
            let mut message = RuleMessage::default();
            message.header.family = family.into();
            let answer = self.dump("list the policy rules", RouteNetlinkMessage::GetRule(message)).await?;
            rules.extend(answer.into_iter().filter_map(rule_message));
        }
        Ok(rules)
    }

    /// Deletes what a crashed process has left: the rules that lead to `table` or have `priority`, those of the next priority that
    /// do nothing, then the routes of `table`, in both families. Harmless when there is nothing.
    ///
    /// # Errors
    /// [`NetlinkError::Reserved`] for a table or priority of the system's own; CAP_NET_ADMIN is missing.
    pub async fn clean_up(&self, table: u32, priority: u32) -> Result<CleanUp, NetlinkError> {
        let free = 256..=32_765;
        if !free.contains(&table) || !free.contains(&priority) {
            return Err(NetlinkError::Reserved { table, priority });
        }
        let is_ours = |rule: &Rule| {
            let is_end = rule.priority == priority + 1 && rule.action == RuleAction::Nop;
            rule.priority == priority || rule.action == RuleAction::Table(table) || is_end
        };
        let mut found = CleanUp::default();
        for message in self.rule_messages().await? {
            let Some(rule) = Rule::parse(&message).filter(is_ours) else { continue };
            // As the kernel has it: what a `Rule` cannot say tells it from others.
            let request = RouteNetlinkMessage::DelRule(message);
            found.rules += usize::from(self.change(&rule.text("delete"), request, 0, &[libc::ENOENT]).await? == Change::Made);
        }
        found.routes = self.delete_routes(RouteFilter { table: Some(table), protocol: None }).await?;
        Ok(found)
    }
}

fn rule_message(message: RouteNetlinkMessage) -> Option<RuleMessage> {
    if let RouteNetlinkMessage::NewRule(message) = message { Some(message) } else { None }
}
