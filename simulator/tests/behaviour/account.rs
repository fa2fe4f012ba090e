//! An account with a clock of its own, for tests to call. Pure.

use cloudfront_simulator::admin::{NewGroup, NewList, NewTenant};
use cloudfront_simulator::model::{ConnectionGroup, Versioned};
use cloudfront_simulator::request::{CreateConnectionGroup, PageRequest, UpdateConnectionGroup};
use cloudfront_simulator::switches::IpAddressType;
use cloudfront_simulator::{
    Account, ErrorCode, Freshness, Millis, Request, Response, ServiceError, Switches, Tags, Timestamp,
};

/// The `ETag`s every resource goes through.
pub const ETAGS: [&str; 3] = ["E23ZP02F085DFQ", "ETVPDKIKX0DER", "E3UN6WX5RRO2AG"];

pub struct World {
    pub account: Account,
    pub now: Timestamp,
}

pub type Group = Versioned<ConnectionGroup>;

/// A world in which `change` has been made to the default switches.
pub fn world_where(change: impl FnOnce(&mut Switches)) -> World {
    let mut switches = Switches::DEFAULT;
    change(&mut switches);
    World { account: Account::new(switches), now: Timestamp(1_750_091_150_061) }
}

pub fn world() -> World {
    world_where(|_| ())
}

/// What creates a group of that name; the rest is left to CloudFront.
pub fn named(name: &str) -> CreateConnectionGroup {
    CreateConnectionGroup { name: name.to_owned(), ..CreateConnectionGroup::default() }
}

/// What updates the version of `group` that was read.
pub fn update_of(group: &Group) -> UpdateConnectionGroup {
    UpdateConnectionGroup {
        id: group.resource.id.clone(),
        if_match: Some(group.etag.clone()),
        ..UpdateConnectionGroup::default()
    }
}

pub fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl World {
    /// Calls. A call that fails must change nothing, whatever the test is about.
    pub fn call(&mut self, request: &Request) -> Result<Response, ServiceError> {
        let before = self.account.clone();
        let outcome = self.account.call(self.now, request);
        if outcome.is_err() && self.account.switches().rate == 0 {
            assert_eq!(self.account, before, "a call that failed changed the account: {request:?}");
        }
        outcome
    }

    pub fn create(&mut self, input: CreateConnectionGroup) -> Result<Group, ErrorCode> {
        match self.call(&Request::CreateConnectionGroup(input)) {
            Ok(Response::CreateConnectionGroup(group)) => Ok(group),
            Err(error) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    pub fn get(&mut self, identifier: &str) -> Result<Group, ErrorCode> {
        self.read(identifier, Freshness::AsSwitched)
    }

    pub fn read(&mut self, identifier: &str, freshness: Freshness) -> Result<Group, ErrorCode> {
        let request = Request::GetConnectionGroup { identifier: identifier.to_owned() };
        match self.account.call_with(self.now, &request, freshness) {
            Ok(Response::GetConnectionGroup(group)) => Ok(group),
            Err(error) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    pub fn update(&mut self, input: UpdateConnectionGroup) -> Result<Group, ErrorCode> {
        match self.call(&Request::UpdateConnectionGroup(input)) {
            Ok(Response::UpdateConnectionGroup(group)) => Ok(group),
            Err(error) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    pub fn delete(&mut self, id: &str, if_match: Option<&str>) -> Result<(), ErrorCode> {
        let request = Request::DeleteConnectionGroup { id: id.to_owned(), if_match: if_match.map(ToOwned::to_owned) };
        self.call(&request).map(drop).map_err(|error| error.code)
    }

    /// The names on a page, and the marker of the next.
    pub fn page(&mut self, list: Option<&str>, page: PageRequest) -> Result<(Vec<String>, Option<String>), ErrorCode> {
        let request = Request::ListConnectionGroups { anycast_ip_list_id: list.map(ToOwned::to_owned), page };
        match self.call(&request) {
            Ok(Response::ListConnectionGroups(page)) => {
                Ok((page.items.into_iter().map(|group| group.name).collect(), page.next_marker))
            }
            Err(error) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    pub fn tags_of(&mut self, arn: &str) -> Result<Tags, ErrorCode> {
        self.read_tags(arn, Freshness::AsSwitched)
    }

    pub fn read_tags(&mut self, arn: &str, freshness: Freshness) -> Result<Tags, ErrorCode> {
        let request = Request::ListTagsForResource { resource: arn.to_owned() };
        match self.account.call_with(self.now, &request, freshness) {
            Ok(Response::ListTagsForResource(tags)) => Ok(tags),
            Err(error) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    pub fn tag(&mut self, arn: &str, pairs: &[(&str, &str)]) -> Result<(), ErrorCode> {
        let tags = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let request = Request::TagResource { resource: arn.to_owned(), tags };
        self.call(&request).map(drop).map_err(|error| error.code)
    }

    pub fn untag(&mut self, arn: &str, keys: &[&str]) -> Result<(), ErrorCode> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let request = Request::UntagResource { resource: arn.to_owned(), keys };
        self.call(&request).map(drop).map_err(|error| error.code)
    }

    /// A group that is there already, deployed.
    pub fn deployed(&mut self, name: &str) -> Group {
        let group = self.create(named(name)).unwrap();
        self.account.propagate(self.now);
        group
    }

    /// A disabled group that is there already, deployed.
    pub fn disabled(&mut self, name: &str) -> Group {
        let new = NewGroup { enabled: false, ..NewGroup::named(name) };
        let group = self.account.outside_create_group(self.now, new).unwrap();
        self.account.propagate(self.now);
        group
    }

    pub fn list(&mut self, name: &str, ip_address_type: IpAddressType) -> String {
        self.account.outside_create_list(self.now, NewList::named(name, ip_address_type)).id
    }

    pub fn tenant(&mut self, group: &str, name: &str) {
        self.account.outside_create_tenant(self.now, NewTenant::behind(group, name)).unwrap();
    }

    pub fn wait(&mut self, span: Millis) {
        self.now = self.now.after(span);
    }
}
