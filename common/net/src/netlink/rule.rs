//! Policy rules: which table is asked for which packet; and the clean-up after a crash.

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};

use super::{Change, Family, Netlink, NetlinkError, RouteFilter};

/// What the kernel says for "no suppressed prefix length".
const NO_SUPPRESSION: u32 = u32::MAX;

/// A policy rule that leads to a routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose packets.
    pub family: Family,
    /// Lower is asked first.
    pub priority: u32,
    /// The table that is asked.
    pub table: u32,
    /// Only packets with this firewall mark.
    pub fwmark: Option<u32>,
    /// Only packets that do *not* match.
    pub invert: bool,
    /// Routes with a prefix of this length or shorter do not count: 0 leaves the default route out.
    pub suppress_prefix_length: Option<u32>,
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
        Self { family, priority, table, fwmark: None, invert: false, suppress_prefix_length: None }
    }

    /// Only packets without the firewall mark `mark`: `ip rule add not fwmark MARK`.
    #[must_use]
    pub fn without_mark(self, mark: u32) -> Self {
        Self { fwmark: Some(mark), invert: true, ..self }
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
        rule.invert = message.header.flags.contains(RuleFlags::Invert);
        for attribute in &message.attributes {
            if let RuleAttribute::Priority(priority) = attribute {
                rule.priority = *priority;
            } else if let RuleAttribute::Table(table) = attribute {
                rule.table = *table;
            } else if let RuleAttribute::FwMark(mark) = attribute {
                rule.fwmark = Some(*mark);
            } else if let RuleAttribute::SuppressPrefixLen(length) = attribute {
                rule.suppress_prefix_length = Some(*length).filter(|length| *length != NO_SUPPRESSION);
            }
        }
        Some(rule)
    }

    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = self.family.into();
        message.header.action = RuleAction::ToTable;
        message.header.table = u8::try_from(self.table).unwrap_or(libc::RT_TABLE_COMPAT);
        if self.invert {
            message.header.flags = RuleFlags::Invert;
        }
        message.attributes = vec![RuleAttribute::Priority(self.priority), RuleAttribute::Table(self.table)];
        message.attributes.extend(self.fwmark.map(RuleAttribute::FwMark));
        message.attributes.extend(self.suppress_prefix_length.map(RuleAttribute::SuppressPrefixLen));
        message
    }

    fn describe(&self, verb: &str) -> String {
        format!("{verb} the rule of priority {} to table {} ({:?})", self.priority, self.table, self.family)
    }
}

impl Netlink {
    /// Adds a rule.
    ///
    /// # Errors
    /// CAP_NET_ADMIN is missing.
    pub async fn add_rule(&self, rule: &Rule) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::NewRule(rule.message());
        self.change(&rule.describe("add"), request, NLM_F_CREATE | NLM_F_EXCL, &[libc::EEXIST]).await
    }

    /// Deletes a rule.
    ///
    /// # Errors
    /// CAP_NET_ADMIN is missing.
    pub async fn delete_rule(&self, rule: &Rule) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::DelRule(rule.message());
        self.change(&rule.describe("delete"), request, 0, &[libc::ENOENT]).await
    }

    /// Lists the rules of both families, or those of one priority.
    ///
    /// # Errors
    /// No answer.
    pub async fn rules(&self, priority: Option<u32>) -> Result<Vec<Rule>, NetlinkError> {
        let mut rules = Vec::new();
        for family in Family::BOTH {
            let mut message = RuleMessage::default();
            message.header.family = family.into();
            let answer = self.dump("list the policy rules", RouteNetlinkMessage::GetRule(message)).await?;
            rules.extend(answer.iter().filter_map(parsed).filter(|rule| priority.is_none_or(|only| only == rule.priority)));
        }
        Ok(rules)
    }

    /// Deletes what a crashed process has left: the rules that lead to `table` or have `priority`, then the routes of
    /// `table`, in both families. Harmless when there is nothing.
    ///
    /// # Errors
    /// [`NetlinkError::Reserved`] for a table or priority of the system's own; CAP_NET_ADMIN is missing.
    pub async fn clean_up(&self, table: u32, priority: u32) -> Result<CleanUp, NetlinkError> {
        let free = 256..=32_765;
        if !free.contains(&table) || !free.contains(&priority) {
            return Err(NetlinkError::Reserved { table, priority });
        }
        let mut found = CleanUp::default();
        for rule in self.rules(None).await? {
            if rule.table == table || rule.priority == priority {
                found.rules += usize::from(self.delete_rule(&rule).await? == Change::Made);
            }
        }
        found.routes = self.delete_routes(RouteFilter { table: Some(table), protocol: None }).await?;
        Ok(found)
    }
}

fn parsed(message: &RouteNetlinkMessage) -> Option<Rule> {
    if let RouteNetlinkMessage::NewRule(message) = message { Rule::parse(message) } else { None }
}
