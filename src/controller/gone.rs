//! Whether the API server says that one object does not exist. Talks to the API server.
//!
//! A 404 alone does not prove that: the resource may not be served at the moment, or a proxy may have answered. The API server names the object that it did
//! not find.

use kube::{Api, core::Status};

use crate::api::ConnectionGroup;

/// Whether this answer says that the object of that name does not exist.
pub fn says_gone(answer: &Status, name: &str) -> bool {
    answer.is_not_found() && answer.details.as_ref().is_some_and(|details| details.name == name)
}

/// Reads an object; `None` if the API server says that it does not exist.
///
/// # Errors
/// Any other error answer, or no answer.
pub async fn read(api: &Api<ConnectionGroup>, name: &str) -> Result<Option<ConnectionGroup>, kube::Error> {
    match api.get(name).await {
        Err(kube::Error::Api(answer)) if says_gone(&answer, name) => Ok(None),
        answer => answer.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_404_that_names_the_object_means_that_it_is_gone() {
        let answer = |json: serde_json::Value| serde_json::from_value::<Status>(json).unwrap();
        let named = |name: &str| {
            answer(serde_json::json!({
                "status": "Failure", "reason": "NotFound", "code": 404,
                "message": "connectiongroups.cloudfront.kube-operators.dev \"edge\" not found",
                "details": { "name": name, "group": "cloudfront.kube-operators.dev", "kind": "connectiongroups" },
            }))
        };
        assert!(says_gone(&named("edge"), "edge"));
        assert!(!says_gone(&named("another"), "edge"));
        let not_served = serde_json::json!({
            "status": "Failure", "reason": "NotFound", "code": 404, "details": {},
            "message": "the server could not find the requested resource",
        });
        assert!(!says_gone(&answer(not_served), "edge"));
        let from_a_proxy = serde_json::json!({ "status": "Failure", "code": 404, "message": "404 page not found" });
        assert!(!says_gone(&answer(from_a_proxy), "edge"));
    }
}
