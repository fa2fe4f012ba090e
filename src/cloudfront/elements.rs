//! Elements of a group that this operator does not manage, as CloudFront sent them. Pure data.
//!
//! `UpdateConnectionGroup` takes some of them: those are carried along in every update, so that it does not matter whether CloudFront keeps what an update
//! leaves out. The others are newer than this version: no decision depends on them, but the operator notices when one goes missing.

use std::collections::BTreeMap;

/// The members of a group that this operator reads.
const READ: [&str; 12] = [
    "Id",
    "Name",
    "Arn",
    "CreatedTime",
    "LastModifiedTime",
    "Tags",
    "Ipv6Enabled",
    "RoutingEndpoint",
    "AnycastIpListId",
    "Status",
    "Enabled",
    "IsDefault",
];

/// What `UpdateConnectionGroup` takes besides the members that this operator manages.
const CARRIED: [&str; 1] = ["ViewerFallback"];

/// The elements by name, each as complete XML.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Elements(BTreeMap<String, String>);

impl Elements {
    /// The children of a `ConnectionGroup` that the operator does not read: the name, and the complete element as XML.
    pub fn of_children<'a>(children: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut elements = BTreeMap::<String, String>::new();
        for (name, xml) in children {
            if !READ.contains(&name) {
                elements.entry(name.to_owned()).or_default().push_str(xml);
            }
        }
        Self(elements)
    }

    /// What an update carries along: name and XML. An element without any text sets nothing, so it is left out: CloudFront may refuse it.
    pub fn carried(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, xml)| (name.as_str(), xml.as_str()))
            .filter(|(name, xml)| CARRIED.contains(name) && has_text(xml))
    }

    /// The names that this version does not know.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| !CARRIED.contains(name))
    }

    /// The names of elements with text that are no longer there.
    pub fn lost<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = &'a str> {
        let present = |name: &str| now.0.get(name).is_some_and(|xml| has_text(xml));
        self.0.iter().filter(move |(name, xml)| has_text(xml) && !present(name)).map(|(name, _)| name.as_str())
    }
}

/// Whether there is text between the tags.
fn has_text(xml: &str) -> bool {
    xml.split('>').any(|piece| piece.split('<').next().is_some_and(|text| !text.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const FALLBACK: &str = "<ViewerFallback><DistributionId>E1ABC</DistributionId></ViewerFallback>";

    #[test]
    fn what_an_update_takes_is_carried_and_what_is_newer_is_unknown() {
        let children = [("Id", "<Id>cg_1</Id>"), ("ViewerFallback", FALLBACK), ("Later", "<Later>x</Later>")];
        let elements = Elements::of_children(children);
        assert_eq!(elements.carried().collect::<Vec<_>>(), [("ViewerFallback", FALLBACK)]);
        assert_eq!(elements.unknown().collect::<Vec<_>>(), ["Later"]);
    }

    #[test]
    fn an_element_without_text_is_neither_carried_along_nor_lost() {
        for empty in ["<ViewerFallback/>", "<ViewerFallback><DistributionId> </DistributionId></ViewerFallback>"] {
            let elements = Elements::of_children([("ViewerFallback", empty)]);
            assert_eq!(elements.carried().count(), 0, "{empty}");
            assert_eq!(elements.lost(&Elements::default()).count(), 0, "{empty}");
            let before = Elements::of_children([("ViewerFallback", FALLBACK)]);
            assert_eq!(before.lost(&elements).collect::<Vec<_>>(), ["ViewerFallback"], "{empty}");
            assert_eq!(before.lost(&before).count(), 0);
        }
    }

    #[test]
    fn every_member_of_the_api_model_is_read_managed_or_carried_along() {
        let model: Value = serde_json::from_str(include_str!("../../tests/adapter/api-members.json")).unwrap();
        let members = |shape: &str| {
            model[shape]["members"].as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>()
        };
        let answered = READ.iter().chain(&CARRIED).copied().collect::<BTreeSet<_>>();
        assert_eq!(members("ConnectionGroup"), answered);
        let sent = ["Enabled", "Ipv6Enabled", "AnycastIpListId"].into_iter().chain(CARRIED).collect::<BTreeSet<_>>();
        assert_eq!(members("UpdateConnectionGroupRequest"), sent);
    }
}
