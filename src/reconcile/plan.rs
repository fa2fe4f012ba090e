//! What to do about it: one exhaustive table. Pure: (intent, observed) -> [`Plan`].

use std::collections::BTreeSet;

use super::{
    Known, Policy,
    desired::{Desired, Farewell, Intent},
    observe::{Absence, Observed},
    ownership::{Owner, OwnerTag},
};
use crate::{
    api::{AdoptionPolicy, Drift},
    cloudfront::{
        AnycastIpListId, Arn, Config, Deployment, Described, Etag, GroupId, NewGroup, Summary, Tags, Tenants,
    },
};

/// The one thing to do in this pass; at most one mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing to do, and nothing was read.
    Keep,
    /// Nothing to do but to note the deployment status.
    Note(Summary),
    /// Equal to the spec; whether it is rolled out is CloudFront's business.
    UpToDate(Described),
    /// Mode Observe: show it, and where it differs.
    Mirror(Described, Vec<Drift>),
    /// Mode Observe: there is nothing to show.
    NothingToMirror,
    /// Create the group.
    Create(NewGroup),
    /// Take note that the group which status names is gone; the next pass creates it again.
    Forget,
    /// Put our owner tag on an unowned group.
    Adopt(Described),
    /// Change the configuration.
    Update(Box<Update>),
    /// Set tags.
    Tag(Described, Tags),
    /// Remove tags that we once set.
    Untag(Described, BTreeSet<String>),
    /// Deletion: take the group out of service.
    Disable(Described),
    /// Deletion: wait until the disabled group is rolled out.
    AwaitDisabled(Described),
    /// Deletion: delete the disabled group.
    Delete(Described),
    /// Deletion: wait for the second proof that the group is gone.
    ConfirmGone,
    /// Deletion: take our owner tag off, then let go.
    Disown(Described),
    /// Deletion: let go of the object.
    Release(Release),
    /// Wait for somebody else.
    Blocked(Block),
    /// A person has to decide.
    Refuse(Described, Refusal),
}

/// An `UpdateConnectionGroup` to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The group as read in this pass; its id and ETag go into the call.
    pub described: Described,
    /// The whole configuration to send.
    pub config: Config,
    /// What changes, for people.
    pub changes: Vec<Drift>,
    /// What is left to do after it.
    pub rest: Rest,
}

/// What an update leaves undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing but the rollout.
    Rollout,
    /// Tags differ as well; they are next.
    Tags,
    /// The Anycast list stays, since CloudFront refused to detach it.
    RejectedDetach,
}

/// Why an object is let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// The group is gone, by two proofs.
    Gone,
    /// The group was never this object's to delete.
    NotOurs,
    /// Retained: our owner tag is off.
    Retained,
    /// Mode Observe: nothing was ever ours to do.
    Observed,
}

/// What a pass waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// `spec.suspend`.
    Suspended,
    /// `spec.deletionProtection`.
    DeletionProtected,
    /// Tenants that use the group.
    InUse(Described, Tenants),
    /// Tags of a young group that are not visible yet.
    TagsPending(Described),
}

/// Why the group is not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another owner holds the name.
    NotOwned(OwnerTag),
    /// The account's default group.
    DefaultGroup,
    /// An unowned group that may not be adopted.
    AdoptionRefused(AdoptionObstacle),
    /// CloudFront keeps this list attached.
    AnycastDetachRejected(AnycastIpListId),
}

/// What stands in the way of an adoption. Both keys may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptionObstacle {
    /// The administrator's key is missing.
    pub forbidden_by_administrator: bool,
    /// The object's policy, which forbids it if it is `Never`, or `IfUnchanged` and there are differences.
    pub policy: AdoptionPolicy,
    /// Where the group differs from the spec.
    pub differences: Vec<Drift>,
}

impl Plan {
    /// Whether carrying it out changes something at CloudFront.
    #[must_use]
    pub const fn mutates(&self) -> bool {
        match self {
            Self::Create(_)
            | Self::Adopt(_)
            | Self::Update(_)
            | Self::Tag(..)
            | Self::Untag(..)
            | Self::Disable(_)
            | Self::Delete(_)
            | Self::Disown(_) => true,
            Self::Keep
            | Self::Note(_)
            | Self::UpToDate(_)
            | Self::Mirror(..)
            | Self::NothingToMirror
            | Self::Forget
            | Self::AwaitDisabled(_)
            | Self::ConfirmGone
            | Self::Release(_)
            | Self::Blocked(_)
            | Self::Refuse(..) => false,
        }
    }
}

/// Looks the one thing to do up.
#[must_use]
pub fn plan(intent: &Intent, observed: Observed, known: &Known<'_>, policy: &Policy) -> Plan {
    match (intent, observed) {
        (Intent::Suspended, _) => Plan::Blocked(Block::Suspended),
        (Intent::Protected, _) => Plan::Blocked(Block::DeletionProtected),
        (Intent::Absent { farewell: Farewell::Leave, .. }, _) => Plan::Release(Release::Observed),
        (_, Observed::NotLooked) => Plan::Keep,
        (_, Observed::Settled(summary)) => Plan::Note(summary),

        (Intent::Present(_), Observed::NotFound(_)) if known.status.id.is_some() => Plan::Forget,
        (Intent::Present(desired), Observed::NeverThere | Observed::NotFound(_)) => create(desired, known),
        (Intent::Present(desired), Observed::Found { described, owner, tenants: _ }) => match owner {
            _ if described.group.is_default => Plan::Refuse(described, Refusal::DefaultGroup),
            Owner::Ours => manage(desired, described, known),
            Owner::Unowned => adopt(desired, described, policy),
            Owner::Undecided => Plan::Blocked(Block::TagsPending(described)),
            Owner::Other(owner) => Plan::Refuse(described, Refusal::NotOwned(owner)),
        },

        (Intent::Mirrored(_), Observed::NeverThere | Observed::NotFound(_)) => Plan::NothingToMirror,
        (Intent::Mirrored(desired), Observed::Found { described, .. }) => {
            let drift = differences(desired, &described);
            Plan::Mirror(described, drift)
        }

        (Intent::Absent { .. }, Observed::NeverThere | Observed::NotFound(Absence::Reported)) => Plan::ConfirmGone,
        (Intent::Absent { .. }, Observed::NotFound(Absence::Proven)) => Plan::Release(Release::Gone),
        (Intent::Absent { farewell, .. }, Observed::Found { described, owner, tenants }) => match owner {
            _ if described.group.is_default => Plan::Release(Release::NotOurs),
            Owner::Ours => part(*farewell, described, tenants),
            Owner::Undecided => Plan::Blocked(Block::TagsPending(described)),
            Owner::Unowned if *farewell == Farewell::Retain => Plan::Release(Release::Retained),
            Owner::Unowned | Owner::Other(_) => Plan::Release(Release::NotOurs),
        },
    }
}

fn create(desired: &Desired, known: &Known<'_>) -> Plan {
    Plan::Create(NewGroup {
        name: desired.name.clone(),
        config: desired.config.clone(),
        tags: desired.all_tags(&known.owner_tag),
    })
}

fn manage(desired: &Desired, described: Described, known: &Known<'_>) -> Plan {
    let mut target = desired.config.clone();
    let stuck_list = described
        .group
        .config
        .anycast_ip_list_id
        .clone()
        .filter(|_| desired.config.anycast_ip_list_id.is_none() && known.detach_was_rejected());
    if let Some(list) = &stuck_list {
        target.anycast_ip_list_id = Some(list.clone());
    }
    let (set, remove) = tag_changes(desired, &described.tags, &known.status.tags);
    if described.group.config != target {
        let changes = config_differences(&target, &described.group.config);
        let rest = match () {
            () if stuck_list.is_some() => Rest::RejectedDetach,
            () if set.is_empty() && remove.is_empty() => Rest::Rollout,
            () => Rest::Tags,
        };
        return Plan::Update(Box::new(Update { described, config: target, changes, rest }));
    }
    if !set.is_empty() {
        return Plan::Tag(described, set);
    }
    if !remove.is_empty() {
        return Plan::Untag(described, remove);
    }
    match stuck_list {
        Some(list) => Plan::Refuse(described, Refusal::AnycastDetachRejected(list)),
        None => Plan::UpToDate(described),
    }
}

fn adopt(desired: &Desired, described: Described, policy: &Policy) -> Plan {
    let obstacle = AdoptionObstacle {
        forbidden_by_administrator: !policy.allow_adoption,
        policy: desired.adoption,
        differences: differences(desired, &described),
    };
    let object_agrees = match desired.adoption {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfUnchanged => obstacle.differences.is_empty(),
        AdoptionPolicy::Always => true,
    };
    if object_agrees && policy.allow_adoption {
        return Plan::Adopt(described);
    }
    Plan::Refuse(described, Refusal::AdoptionRefused(obstacle))
}

fn part(farewell: Farewell, described: Described, tenants: Option<Tenants>) -> Plan {
    match (farewell, tenants) {
        (Farewell::Leave, _) => Plan::Release(Release::Observed),
        (Farewell::Retain, _) => Plan::Disown(described),
        (Farewell::Delete, None) => Plan::AwaitDisabled(described),
        (Farewell::Delete, Some(tenants)) if tenants.count > 0 => Plan::Blocked(Block::InUse(described, tenants)),
        (Farewell::Delete, Some(_)) if described.group.config.enabled => Plan::Disable(described),
        (Farewell::Delete, Some(_)) => match described.group.deployment {
            Deployment::Deployed => Plan::Delete(described),
            Deployment::Pending(_) => Plan::AwaitDisabled(described),
        },
    }
}

/// What to set and what to remove. Only tags that status says we set are ever removed, and never the owner tag.
fn tag_changes(desired: &Desired, observed: &Tags, applied: &Tags) -> (Tags, BTreeSet<String>) {
    let set = desired.tags.iter().filter(|(key, value)| observed.get(*key) != Some(value));
    let remove = applied
        .keys()
        .filter(|key| !desired.tags.contains_key(*key) && observed.contains_key(*key) && *key != OwnerTag::KEY);
    (set.map(|(key, value)| (key.clone(), value.clone())).collect(), remove.cloned().collect())
}

/// Where a group differs from the spec, tags included; tags of others do not count.
#[must_use]
pub fn differences(desired: &Desired, described: &Described) -> Vec<Drift> {
    let mut found = config_differences(&desired.config, &described.group.config);
    found.extend(desired.tags.iter().filter(|(key, value)| described.tags.get(*key) != Some(value)).map(
        |(key, value)| Drift {
            field: format!("tags[{key}]"),
            desired: value.clone(),
            observed: described.tags.get(key).cloned().unwrap_or_default(),
        },
    ));
    found
}

fn config_differences(desired: &Config, observed: &Config) -> Vec<Drift> {
    // No `..`: a new member must be compared.
    let Config { enabled, ipv6_enabled, anycast_ip_list_id } = desired;
    let list = |id: &Option<AnycastIpListId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        ("enabled", enabled.to_string(), observed.enabled.to_string()),
        ("ipv6Enabled", ipv6_enabled.to_string(), observed.ipv6_enabled.to_string()),
        ("anycastIpListId", list(anycast_ip_list_id), list(&observed.anycast_ip_list_id)),
    ]
    .into_iter()
    .filter(|(_, desired, observed)| desired != observed)
    .map(|(field, desired, observed)| Drift { field: field.to_owned(), desired, observed })
    .collect()
}

/// What a mutation needs of the group that was read in the same pass.
impl Described {
    /// Id for the path of a call.
    #[must_use]
    pub const fn id(&self) -> &GroupId {
        &self.group.id
    }

    /// ETag for If-Match.
    #[must_use]
    pub const fn etag(&self) -> &Etag {
        &self.group.etag
    }

    /// ARN for tag calls.
    #[must_use]
    pub const fn arn(&self) -> &Arn {
        &self.group.arn
    }
}
