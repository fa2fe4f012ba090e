//! The faults that a test injects, and what they are over HTTP. Pure.

use cloudfront_simulator::response::{Page, Response};
use connection_group_operator::cloudfront::ErrorClass;

/// A fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused before it has an effect.
    Error(ErrorClass),
    /// Refused before it has an effect, with this HTTP status and this code.
    Code(u16, &'static str),
    /// The same, with this message as well.
    Told(u16, &'static str, &'static str),
    /// Refused with a code that this version does not know.
    UnknownCode,
    /// Takes effect, but the answer is lost.
    AnswerLost,
    /// Takes effect, but the answer shows the group with IPv6 inverted.
    AnsweredWrongly,
    /// Takes effect, but the answer shows the group with `Enabled` inverted.
    AnsweredWithTheOldSwitch,
    /// Answered from the state before the last change.
    Stale,
    /// A page without items, although others follow.
    EmptyPage,
    /// A page that is followed by itself if a marker requested it, and otherwise by the first one.
    RepeatedMarker,
    /// An answer without the list that was requested.
    ListLeftOut,
    /// An answer that shows a group without anything optional.
    Lacking,
    /// Another client changes the group just before the call.
    ChangedJustBefore,
}

/// The result of a call that does not reach the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// CloudFront's own error: HTTP status, code and message.
    Code(u16, &'static str, &'static str),
    /// An answer that is not CloudFront's.
    Page,
    /// No answer in time.
    Silence,
    /// No connection.
    NoConnection,
}

impl Fault {
    /// What is answered in place of the account, if anything.
    pub(crate) const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Error(class) => Some(refusal(class)),
            Self::Code(status, name) => Some(code(status, name)),
            Self::Told(status, code, message) => Some(Refusal::Code(status, code, message)),
            Self::UnknownCode => Some(code(400, "LaterException")),
            Self::AnswerLost
            | Self::AnsweredWrongly
            | Self::AnsweredWithTheOldSwitch
            | Self::Stale
            | Self::EmptyPage
            | Self::RepeatedMarker
            | Self::ListLeftOut
            | Self::Lacking
            | Self::ChangedJustBefore => None,
        }
    }

    /// Changes an answer that the account gave.
    pub(crate) fn spoil(self, answer: &mut Response) {
        match (self, answer) {
            (Self::AnsweredWrongly, Response::UpdateConnectionGroup(shown)) => {
                shown.resource.ipv6_enabled = !shown.resource.ipv6_enabled;
            }
            (Self::AnsweredWithTheOldSwitch, Response::UpdateConnectionGroup(shown)) => {
                shown.resource.enabled = !shown.resource.enabled;
            }
            (_, Response::ListConnectionGroups(page)) => self.spoil_page(page, "cg_"),
            (_, Response::ListDistributionTenants(page)) => self.spoil_page(page, "dt_"),
            _ => {}
        }
    }

    /// A marker is the id of the last item before a page; `before_all` comes before each of them.
    fn spoil_page<T>(self, page: &mut Page<T>, before_all: &str) {
        let marker = page.marker.as_deref().unwrap_or(before_all);
        match self {
            // All ids have the same length, so it is another marker for the same place.
            Self::EmptyPage => (page.next_marker, page.items) = (Some(format!("{marker}-")), Vec::new()),
            Self::RepeatedMarker => page.next_marker = Some(marker.to_owned()),
            Self::ListLeftOut => (page.next_marker, page.items) = (None, Vec::new()),
            _ => {}
        }
    }
}

const fn code(status: u16, code: &'static str) -> Refusal {
    Refusal::Code(status, code, "ordered by the test")
}

/// How CloudFront, or a server in its place, answers. Codes and statuses are those of the API's model and of AWS's documentation.
const fn refusal(class: ErrorClass) -> Refusal {
    match class {
        ErrorClass::Throttled => code(400, "Throttling"),
        ErrorClass::ServiceUnavailable => code(503, "ServiceUnavailable"),
        ErrorClass::TimedOut => Refusal::Silence,
        ErrorClass::Unreachable => Refusal::NoConnection,
        ErrorClass::Credentials => code(403, "ExpiredToken"),
        ErrorClass::AccessDenied => code(403, "AccessDenied"),
        ErrorClass::NotFound => code(404, "EntityNotFound"),
        ErrorClass::AlreadyExists => code(409, "EntityAlreadyExists"),
        ErrorClass::LimitExceeded => code(400, "EntityLimitExceeded"),
        ErrorClass::InvalidArgument => code(400, "InvalidArgument"),
        ErrorClass::StaleEtag => code(412, "PreconditionFailed"),
        ErrorClass::InUse => code(409, "ResourceInUse"),
        ErrorClass::NotDisabled => code(409, "ResourceNotDisabled"),
        ErrorClass::HasTenants => code(409, "CannotDeleteEntityWhileInUse"),
        ErrorClass::Unexpected => Refusal::Page,
    }
}

/// A member that the API's model calls optional, and that answers omit from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the members' own")]
pub enum LeftOut {
    Status,
    Enabled,
    Ipv6Enabled,
    AnycastIpListId,
    RoutingEndpoint,
    Times,
    /// Of a row of the list.
    RowStatus,
    /// Of a row of the list.
    RowEnabled,
}

impl LeftOut {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Status,
        Self::Enabled,
        Self::Ipv6Enabled,
        Self::AnycastIpListId,
        Self::RoutingEndpoint,
        Self::Times,
        Self::RowStatus,
        Self::RowEnabled,
    ];
}
