//! A CloudFront with odd answers, of any length and in any script, as no account of the simulator would give. In: the
//! answers. Out: the port's answers, the same every time.

use std::collections::BTreeMap;

use connection_group_operator::cloudfront::{AddressFamily, ApiError, Described, Operation, Tenants};
use port::{Answer, Answering, Call};

/// The answers.
#[derive(Clone, Debug)]
pub struct Odd {
    /// The group that every call is answered with.
    pub described: Described,
    /// Whether that group can be read.
    pub exists: bool,
    pub tenants: Tenants,
    /// The calls that are refused, and how.
    pub refused: BTreeMap<Operation, ApiError>,
}

impl Odd {
    fn result<T>(&self, operation: Operation, answer: T) -> Result<T, ApiError> {
        self.refused.get(&operation).map_or(Ok(answer), |error| Err(error.clone()))
    }
}

impl Answering for Odd {
    async fn answer(&self, call: Call) -> Answer {
        let operation = call.operation();
        match call {
            Call::Describe(_) => {
                let read = self.result(operation, self.exists.then(|| self.described.clone()));
                Answer::Described(read.and_then(|read| self.result(Operation::ListTagsForResource, read)))
            }
            Call::Tags(_) => Answer::Tags(self.result(operation, Some(self.described.tags.clone()))),
            Call::Create(_) | Call::Update(..) => Answer::Group(self.result(operation, self.described.group.clone())),
            Call::Delete(_) | Call::Tag(..) | Call::Untag(..) => Answer::Done(self.result(operation, ())),
            Call::Tenants(_) => Answer::Tenants(self.result(operation, self.tenants.clone())),
            Call::AnycastIpList(_) => Answer::AnycastIpList(self.result(operation, Some(AddressFamily::Ipv4Only))),
            Call::List => Answer::Listed(self.result(operation, Vec::new())),
        }
    }
}
