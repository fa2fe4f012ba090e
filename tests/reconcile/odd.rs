//! A CloudFront that says odd things, of any length and in any script, as no account of the simulator would. In: what
//! it says. Out: the port's answers, each the same whenever it is asked.

use std::collections::BTreeMap;

use connection_group_operator::cloudfront::{AddressFamily, ApiError, Described, Operation, Tenants};
use port::{Answer, Answering, Call};

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
    fn said<T>(&self, operation: Operation, answer: T) -> Result<T, ApiError> {
        self.refused.get(&operation).map_or(Ok(answer), |error| Err(error.clone()))
    }
}

impl Answering for Odd {
    async fn answer(&self, call: Call) -> Answer {
        let operation = call.operation();
        match call {
            Call::Describe(_) => {
                let read = self.said(operation, self.exists.then(|| self.described.clone()));
                Answer::Described(read.and_then(|read| self.said(Operation::ListTagsForResource, read)))
            }
            Call::Tags(_) => Answer::Tags(self.said(operation, Some(self.described.tags.clone()))),
            Call::Create(_) | Call::Update(..) => Answer::Group(self.said(operation, self.described.group.clone())),
            Call::Delete(_) | Call::Tag(..) | Call::Untag(..) => Answer::Done(self.said(operation, ())),
            Call::Tenants(_) => Answer::Tenants(self.said(operation, self.tenants.clone())),
            Call::AnycastIpList(_) => Answer::AnycastIpList(self.said(operation, Some(AddressFamily::Ipv4Only))),
            Call::List => Answer::Listed(self.said(operation, Vec::new())),
        }
    }
}
