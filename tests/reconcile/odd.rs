//! A CloudFront that says odd things, of any length and in any script, as no account of the simulator would. In: what
//! it says. Out: the port's answers, each the same whenever it is asked.

use std::collections::{BTreeMap, BTreeSet};

use connection_group_operator::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, Group, GroupId, Lookup, Members, NewGroup,
    Operation, Summary, Tags, Tenants,
};

/// What it says.
#[derive(Clone, Debug)]
pub struct Odd {
    /// The group that every call is answered with.
    pub described: Described,
    /// Whether that group is there to be read.
    pub exists: bool,
    pub tenants: Tenants,
    /// The calls that are refused, and how.
    pub refused: BTreeMap<Operation, ApiError>,
}

impl Odd {
    fn answer<T>(&self, operation: Operation, answer: T) -> Result<T, ApiError> {
        self.refused.get(&operation).map_or(Ok(answer), |error| Err(error.clone()))
    }
}

impl CloudFront for Odd {
    async fn describe(&self, _: &Lookup) -> Result<Option<Described>, ApiError> {
        let read = self.answer(Operation::GetConnectionGroup, self.exists.then(|| self.described.clone()))?;
        self.answer(Operation::ListTagsForResource, read)
    }

    async fn tags(&self, _: &Arn) -> Result<Option<Tags>, ApiError> {
        self.answer(Operation::ListTagsForResource, Some(self.described.tags.clone()))
    }

    async fn create(&self, _: &NewGroup) -> Result<Group, ApiError> {
        self.answer(Operation::CreateConnectionGroup, self.described.group.clone())
    }

    async fn update(&self, _: &Group, _: &Members) -> Result<Group, ApiError> {
        self.answer(Operation::UpdateConnectionGroup, self.described.group.clone())
    }

    async fn delete(&self, _: &Group) -> Result<(), ApiError> {
        self.answer(Operation::DeleteConnectionGroup, ())
    }

    async fn tag(&self, _: &Arn, _: &Tags) -> Result<(), ApiError> {
        self.answer(Operation::TagResource, ())
    }

    async fn untag(&self, _: &Arn, _: &BTreeSet<String>) -> Result<(), ApiError> {
        self.answer(Operation::UntagResource, ())
    }

    async fn tenants(&self, _: &GroupId) -> Result<Tenants, ApiError> {
        self.answer(Operation::ListDistributionTenants, self.tenants.clone())
    }

    async fn anycast_ip_list(&self, _: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        self.answer(Operation::GetAnycastIpList, Some(AddressFamily::Ipv4Only))
    }

    async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        self.answer(Operation::ListConnectionGroups, Vec::new())
    }
}
