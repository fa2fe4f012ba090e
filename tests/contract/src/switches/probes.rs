//! One probe for each open question that a single group can answer. In: the group as the previous probe has left it. Out: answers. Talks to the target.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    time::{Duration, Instant},
};

use cloudfront_simulator::switches::{
    Detach, EmptyUpdate, ImplausibleIfMatch, Names, OversizedPage, Tolerance, UnknownFilter, WriteBy, WritePrecedence,
};
use connection_group_operator::cloudfront::{
    AnycastIpListId, ApiError, CloudFront, Deployment, Described, ErrorClass, Etag, Group, GroupId, Lookup, Members,
};

use super::{Answer, Raw, seen, span};
use crate::{
    clean_up::unusual,
    cloud::Cloud,
    target::{Broken, Target, deployed, eventually, mark, read},
};

type Tried = Result<Answer, Broken>;

/// How many tags AWS documents for distributions.
const TAGS: usize = 50;
/// More items than any page of an AWS API has.
const TOO_MANY_ITEMS: i32 = 10_000;
/// As long as real ids, and not in use.
const NO_LIST: &str = "aip_000000000000000000000000000";

/// The group that is probed, and what its creation showed.
pub struct Probe<'a> {
    cloud: &'a Cloud,
    raw: &'a Raw,
    pub account_id: Answer,
    pub names: Answer,
    pub create_enabled: Answer,
    pub create_echoes_tags: Answer,
    first_etag: Etag,
}

impl<'a> Probe<'a> {
    /// Creates the group, under a name that only CloudFront's model allows if that is accepted.
    pub async fn begin(cloud: &'a mut Cloud, raw: &'a Raw) -> Result<Self, Broken> {
        let tags = mark(&cloud.name);
        let strange = unusual(&cloud.name);
        let (names, shown) = match raw.create(&strange, &tags).await {
            Ok(shown) => {
                cloud.name = strange;
                (Names::Any, shown)
            }
            Err(refusal) if refusal.is("InvalidArgument") => {
                (Names::Conservative, raw.create(&cloud.name, &tags).await?)
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let cloud = &*cloud;
        // Lists and reads may lag, each by its own time.
        let there = async || {
            let is_listed = cloud.port().list().await?.into_iter().any(|item| item.name == cloud.name);
            Ok(is_listed && cloud.port().describe(&Lookup::Name(cloud.name.clone())).await?.is_some())
        };
        eventually(cloud, "the new group", there, |there| *there).await?;
        let unclear = |what: &str| Answer::Unclear(format!("the answer did not say {what}"));
        Ok(Self {
            cloud,
            raw,
            account_id: shown.account.map_or_else(|| unclear("an ARN"), Answer::Seen),
            names: seen(names),
            create_enabled: shown.enabled.map_or_else(|| unclear("Enabled"), seen),
            create_echoes_tags: seen(shown.tags),
            first_etag: read(cloud).await?.group.etag,
        })
    }

    pub async fn get_echoes_tags(&self) -> Tried {
        Ok(seen(self.raw.get(&self.cloud.name).await?.tags))
    }

    pub async fn update_in_progress(&self) -> Tried {
        let group = read(self.cloud).await?.group;
        if group.deployment == Some(Deployment::Deployed) {
            return Ok(Answer::NotTried("the new group was deployed before it could be updated"));
        }
        Ok(tolerated(self.cloud.port().update(&group, &turned(&group.config)).await, ErrorClass::InUse))
    }

    /// An ordinary update: how long until reads show it, and until it is deployed.
    pub async fn update(&self) -> (Tried, Tried) {
        let measured = async {
            let group = self.at_rest().await?.group;
            // Enabled, for the next probes.
            let config = Members { enabled: Some(true), ..turned(&group.config) };
            let since = Instant::now();
            let answered = self.cloud.port().update(&group, &config).await?;
            let read_lag = self.lag("the change", |read| read.group.etag == answered.etag).await?;
            deployed(self.cloud, &answered.etag).await?;
            Ok((span(since.elapsed()), span(read_lag)))
        };
        both(measured.await)
    }

    /// A tag: how long until reads show it, and whether it is a new version of the group.
    pub async fn tags(&self) -> (Tried, Tried) {
        let measured = async {
            let group = self.at_rest().await?.group;
            let tags = BTreeMap::from([("probe".to_owned(), "a tag".to_owned())]);
            self.cloud.port().tag(&group.arn, &tags).await?;
            let tag_lag = self.lag("the tag", |read| read.tags.contains_key("probe")).await?;
            // The group's own reads may be slower.
            self.cloud.pause().await;
            Ok((span(tag_lag), seen(read(self.cloud).await?.group.etag != group.etag)))
        };
        both(measured.await)
    }

    pub async fn tags_per_resource(&self) -> Tried {
        let found = self.at_rest().await?;
        let spare =
            |count: usize| (0..count).map(|n| (format!("spare-{n}"), String::new())).collect::<BTreeMap<_, _>>();
        let room = TAGS.saturating_sub(found.tags.len());
        let port = self.cloud.port();
        let mut sizes = Vec::new();
        for count in [room, room + 1] {
            match port.tag(&found.group.arn, &spare(count)).await {
                Ok(()) => sizes.push(true),
                Err(error) if error.class == ErrorClass::InvalidArgument => sizes.push(false),
                Err(error) => return Err(error.into()),
            }
        }
        port.untag(&found.group.arn, &spare(room + 1).into_keys().collect::<BTreeSet<_>>()).await?;
        Ok(match sizes.as_slice() {
            [true, false] => seen(TAGS),
            [true, true] => Answer::Seen(format!("more than {TAGS}")),
            _ => Answer::Seen(format!("less than {TAGS}")),
        })
    }

    pub async fn implausible_if_match(&self) -> Tried {
        let group = self.at_rest().await?.group;
        let answer = self.update_as(&group, |group| group.etag = Etag::new("nonsense")).await;
        match &answer {
            Err(ApiError { code: Some(code), .. }) if code == "PreconditionFailed" => {
                Ok(seen(ImplausibleIfMatch::PreconditionFailed))
            }
            Err(ApiError { code: Some(code), .. }) if code == "InvalidIfMatchVersion" => {
                Ok(seen(ImplausibleIfMatch::InvalidIfMatchVersion))
            }
            other => Ok(unclear(other)),
        }
    }

    /// A deletion that is both outdated and forbidden.
    pub async fn write_precedence(&self) -> Tried {
        let mut group = self.at_rest().await?.group;
        if group.config.enabled == Some(false) || group.etag == self.first_etag {
            return Ok(Answer::NotTried(
                "the group could not be enabled and changed, so its deletion is not forbidden twice",
            ));
        }
        group.etag = self.first_etag.clone();
        match self.cloud.port().delete(&group).await {
            Err(error) if error.class == ErrorClass::StaleEtag => Ok(seen(WritePrecedence::VersionFirst)),
            Err(error) if error.class == ErrorClass::NotDisabled => Ok(seen(WritePrecedence::StateFirst)),
            other => Ok(unclear(&other)),
        }
    }

    pub async fn write_by(&self) -> Tried {
        let group = self.at_rest().await?.group;
        match self.update_as(&group, |group| group.id = GroupId::new(group.name.as_str())).await {
            Ok(_) => Ok(seen(WriteBy::Any)),
            Err(error) if error.class == ErrorClass::NotFound => Ok(seen(WriteBy::Id)),
            other => Ok(unclear(&other)),
        }
    }

    pub async fn if_match_star(&self) -> Tried {
        let group = self.at_rest().await?.group;
        Ok(tolerated(self.update_as(&group, |group| group.etag = Etag::new("*")).await, ErrorClass::StaleEtag))
    }

    pub async fn empty_update(&self) -> Tried {
        let group = self.at_rest().await?.group;
        let answered = self.update_as(&group, |_| ()).await?;
        Ok(seen(if answered.etag == group.etag { EmptyUpdate::Unchanged } else { EmptyUpdate::NewVersion }))
    }

    pub async fn unknown_filter(&self) -> Tried {
        match self.raw.page(Some(NO_LIST), None).await {
            Ok(page) if page.items == 0 => Ok(seen(UnknownFilter::Empty)),
            Err(refusal) if refusal.is("EntityNotFound") => Ok(seen(UnknownFilter::NotFound)),
            other => Ok(unclear(&other)),
        }
    }

    pub async fn page_size(&self) -> Tried {
        let page = self.raw.page(None, None).await?;
        Ok(if page.more { seen(page.items) } else { Answer::NotTried("all groups of the account fit on one page") })
    }

    pub async fn oversized_page(&self) -> (Tried, Tried) {
        match self.raw.page(None, Some(TOO_MANY_ITEMS)).await {
            Ok(page) if page.more => (Ok(seen(OversizedPage::Clamp)), Ok(seen(page.items))),
            Ok(_) => {
                (Ok(seen(OversizedPage::Clamp)), Ok(Answer::NotTried("all groups of the account fit on one page")))
            }
            Err(refusal) if refusal.is("InvalidArgument") => (
                Ok(seen(OversizedPage::Refuse)),
                Ok(Answer::NotTried("larger pages are refused, and the limit is not searched for")),
            ),
            other => (Ok(unclear(&other)), Ok(unclear(&other))),
        }
    }

    /// Uses an Anycast list, leaves it out of an update, and then sends it empty.
    pub async fn detach(&self, list: &str) -> (Tried, Tried) {
        let omission = self.omission_detaches(list).await;
        (omission, self.empty_element(list).await)
    }

    async fn omission_detaches(&self, list: &str) -> Tried {
        let group = self.attached(list).await?;
        Ok(seen(self.raw.update_enabled(&group).await?.anycast_ip_list_id.is_none()))
    }

    async fn empty_element(&self, list: &str) -> Tried {
        let group = self.attached(list).await?;
        let without = Members { anycast_ip_list_id: None, ..group.config.clone() };
        match self.cloud.port().update(&group, &without).await {
            Ok(after) if after.config.anycast_ip_list_id.is_none() => Ok(seen(Detach::EmptyElement)),
            Ok(_) => Ok(seen(Detach::Never)),
            Err(error) if error.class == ErrorClass::InvalidArgument => Ok(seen(Detach::Rejected)),
            other => Ok(unclear(&other)),
        }
    }

    async fn attached(&self, list: &str) -> Result<Group, Broken> {
        let group = self.at_rest().await?.group;
        let list = Some(AnycastIpListId::new(list));
        if group.config.anycast_ip_list_id == list {
            return Ok(group);
        }
        // Whatever addresses the list has, it can be used without IPv6.
        let using = Members { ipv6_enabled: Some(false), anycast_ip_list_id: list, ..group.config.clone() };
        let answered = self.cloud.port().update(&group, &using).await?;
        Ok(deployed(self.cloud, &answered.etag).await?.group)
    }

    /// The last one: afterwards there may be no group.
    pub async fn delete_in_progress(&self) -> Tried {
        let group = self.at_rest().await?.group;
        let disabled = Members { enabled: Some(false), ..group.config.clone() };
        let group = self.cloud.port().update(&group, &disabled).await?;
        if group.deployment == Some(Deployment::Deployed) {
            return Ok(Answer::NotTried("the group was deployed at once"));
        }
        Ok(tolerated(self.cloud.port().delete(&group).await, ErrorClass::NotDisabled))
    }

    /// The group, once it is deployed and two reads agree: some probes change it, some do not, and a read may be outdated.
    async fn at_rest(&self) -> Result<Described, Broken> {
        let twice = async || {
            let first = read(self.cloud).await?;
            self.cloud.pause().await;
            Ok((first, read(self.cloud).await?))
        };
        let rests = |(first, second): &(Described, Described)| {
            first.group == second.group && second.group.deployment == Some(Deployment::Deployed)
        };
        eventually(self.cloud, "a deployed group", twice, rests).await.map(|(_, group)| group)
    }

    /// An update that changes nothing, with another name for the group.
    async fn update_as(&self, group: &Group, pretend: impl FnOnce(&mut Group)) -> Result<Group, ApiError> {
        let mut pretended = group.clone();
        pretend(&mut pretended);
        self.cloud.port().update(&pretended, &group.config).await
    }

    /// How long a change that was just made is not seen; nothing if the first read shows it.
    async fn lag(&self, what: &str, shown: impl Fn(&Described) -> bool) -> Result<Duration, Broken> {
        let since = Instant::now();
        if shown(&read(self.cloud).await?) {
            return Ok(Duration::ZERO);
        }
        // Without the pauses of `eventually`: what is measured may be short.
        loop {
            let seen = read(self.cloud).await?;
            if shown(&seen) {
                return Ok(since.elapsed());
            }
            if since.elapsed() >= self.cloud.deadline {
                return Err(Broken(format!("{what} did not show; last seen: {seen:?}")));
            }
        }
    }
}

/// With IPv6 inverted.
fn turned(members: &Members) -> Members {
    Members { ipv6_enabled: members.ipv6_enabled.map(|on| !on), ..members.clone() }
}

/// Whether a call took effect, or was refused in the one way that the simulator knows.
fn tolerated<T: Debug>(answer: Result<T, ApiError>, refusal: ErrorClass) -> Answer {
    match answer {
        Ok(_) => seen(Tolerance::Accept),
        Err(error) if error.class == refusal => seen(Tolerance::Refuse),
        other => unclear(&other),
    }
}

fn unclear(answer: &impl Debug) -> Answer {
    Answer::Unclear(format!("{answer:?}"))
}

/// One failure leaves two questions open.
fn both(measured: Result<(Answer, Answer), Broken>) -> (Tried, Tried) {
    match measured {
        Ok((first, second)) => (Ok(first), Ok(second)),
        Err(broken) => (Err(broken.clone()), Err(broken)),
    }
}
