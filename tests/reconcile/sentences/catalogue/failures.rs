//! About calls that failed, and about what CloudFront refused.

use connection_group_operator::{
    api::DeletionPolicy,
    cloudfront::{
        ApiError, ErrorClass, Listing,
        Operation::{CreateConnectionGroup, DeleteConnectionGroup, UpdateConnectionGroup},
    },
};

use super::{Sentence, advises, says};
use crate::sentences::facts::Facts;

pub const SENTENCES: &[Sentence] = &[
    says("The operator retries with exponential backoff, from about 1 second to 10 seconds.", |f, _| {
        f.is_tried_within(10)
    }),
    says("The operator retries with exponential backoff, from about 1 second to 5 minutes.", |f, _| {
        f.is_tried_within(300)
    }),
    says("The operator retries with exponential backoff, from about 1 second to 30 seconds.", |f, _| {
        f.is_tried_within(30) && f.world.deleting
    }),
    says("The operator retries with exponential backoff, from about 30 seconds to 5 minutes.", |f, _| {
        f.is_tried_within(300)
    }),
    says("The operator retries about every 30 seconds.", |f, _| f.is_tried_within(30) && f.world.deleting),
    says("CloudFront keeps refusing this, so the operator now treats the group as in use.", |f, _| {
        f.is_tried_within(0) && f.was_refused(DeleteConnectionGroup, |class| class == ErrorClass::HasTenants)
    }),
    says("The change may still have been made; the operator reads CloudFront again before it retries.", |f, _| {
        let mut errors = f.record.errors.iter().chain(&f.record.earlier);
        errors.any(|error| error.operation.is_mutation() && error.class.leaves_doubt())
    }),
    says("CloudFront is throttling {op}.", |f, places| f.failed(places[0], |class| class == ErrorClass::Throttled)),
    says("AWS denied cloudfront:{op} on {text}.", |f, places| {
        f.failed(places[0], |class| class == ErrorClass::AccessDenied)
    }),
    says("Allow this action for the operator's role.", |f, _| {
        let others = ["must be verified", "control policy", "permissions boundary", "explicit deny"];
        let is_of_the_role = |error: &ApiError| !others.iter().any(|phrase| error.message.contains(phrase));
        f.world.list_fails || f.record.errors.iter().any(is_of_the_role)
    }),
    says(
        "AWS has to verify the account first: contact AWS Support and quote this message. The operator's role is not the cause.",
        |f, _| is_told(f, "account must be verified"),
    ),
    says("Ask the administrators of the AWS organization to allow this action in its policies.", |f, _| {
        is_told(f, "service control policy") || is_told(f, "resource control policy")
    }),
    says("Allow this action in the permissions boundary of the operator's role.", |f, _| {
        is_told(f, "permissions boundary")
    }),
    says("Remove this explicit deny: no policy that allows the action overrides it.", |f, _| {
        is_told(f, "explicit deny in")
    }),
    says(
        "No usable AWS credentials for {op}. Check the ServiceAccount's role, or the variables and files of the Pod or process, and --aws-region (aws.region in the chart).",
        |f, places| f.failed(places[0], |class| class == ErrorClass::Credentials),
    ),
    says("Details{cause}.", |f, _| f.record.errors.iter().any(|error| error.class == ErrorClass::Credentials)),
    says(
        "{op} for connection group {name} failed because CloudFront or a proxy reported a server error{cause}.",
        |f, places| is_about(f, places, ErrorClass::ServiceUnavailable),
    ),
    advises("If this persists, see the AWS Health Dashboard, and check any proxy between the operator and CloudFront."),
    says("{op} for connection group {name} timed out{cause}.", |f, places| is_about(f, places, ErrorClass::TimedOut)),
    says("The connection to CloudFront failed during {op} for connection group {name}{cause}.", |f, places| {
        is_about(f, places, ErrorClass::Unreachable)
    }),
    advises(
        "If this persists, check the Pod's network path to CloudFront: DNS, NetworkPolicy, proxy and --aws-endpoint-url (aws.endpointUrl in the chart).",
    ),
    says(
        "CloudFront did not find what {op} for connection group {name} refers to{cause}. It may just have been deleted, or a recent change is not visible everywhere yet.",
        |f, places| is_about(f, places, ErrorClass::NotFound),
    ),
    advises("If this persists, find the client that deletes the group or its Anycast list, for example in CloudTrail."),
    says(
        "CloudFront refused {op} for connection group {name} because the operator had read another version of the group{cause}. Another client changed the group in the \
         meantime, or the read was stale.",
        |f, places| is_about(f, places, ErrorClass::StaleEtag),
    ),
    says(
        "CloudFront refused {op} for connection group {name} because the group is enabled{cause}. Another client may have enabled it after the operator read it, or the \
         read was stale.",
        |f, places| is_about(f, places, ErrorClass::NotDisabled),
    ),
    advises("If this persists, find the client that keeps changing the group, for example in CloudTrail."),
    says(
        "CloudFront refused to create connection group {name} because the name is taken, but shows no group of that name{cause}. Either the group is not visible yet, or \
         it was deleted so recently that its name is not free yet.",
        |f, places| {
            let is_taken = f.was_refused(CreateConnectionGroup, |class| class == ErrorClass::AlreadyExists);
            f.is_name(places[0]) && is_taken && f.reported_absent()
        },
    ),
    advises("If this persists, delete this object and create one with another spec.name."),
    says(
        "CloudFront refused {op} for connection group {name} because it conflicts with something that already exists{cause}.",
        |f, places| is_about(f, places, ErrorClass::AlreadyExists),
    ),
    advises("If this persists, remove what is in the way."),
    says("CloudFront refused {op} for connection group {name} because the group is in use{cause}.", |f, places| {
        f.is_name(places[1]) && f.failed(places[0], |class| matches!(class, ErrorClass::InUse | ErrorClass::HasTenants))
    }),
    advises("If this persists, find out what uses the group, and remove it."),
    says("CloudFront refused {op} for connection group {name} because a quota is exhausted{cause}.", |f, places| {
        is_about(f, places, ErrorClass::LimitExceeded)
    }),
    advises("Free up quota, or ask AWS to raise it."),
    says("CloudFront refused {op} for connection group {name} as invalid{cause}.", |f, places| {
        is_about(f, places, ErrorClass::InvalidArgument)
    }),
    advises("If this persists, upgrade the operator, or open an issue with this message."),
    says(
        "{op} for connection group {name} failed with an error or a response that the operator does not understand{cause}.",
        |f, places| {
            let is_left_out = f.record.tenants.as_ref().is_some_and(|tenants| tenants.listing == Listing::LeftOut);
            is_about(f, places, ErrorClass::Unexpected) || (places[0] == "ListDistributionTenants" && is_left_out)
        },
    ),
    advises("If this persists, check any proxy in between, upgrade the operator, or open an issue with this message."),
    says("CloudFront refused {op}{cause}.", |f, places| {
        f.failed(places[0], |class| class == ErrorClass::InvalidArgument)
    }),
    says("Correct the spec.", |f, _| !f.world.deleting),
    says("The quota {text} is exhausted{cause}.", |f, places| {
        let total = places[0].split_once("(the account has ").and_then(|(_, rest)| rest.split_once(" groups"));
        let is_counted = total.is_none_or(|(count, _)| count.parse() == Ok(f.world.groups_listed));
        is_counted && f.failed("CreateConnectionGroup", |class| class == ErrorClass::LimitExceeded)
    }),
    says("Delete an unused group or ask AWS to raise the quota.", |f, _| !f.world.deleting),
    says("CloudFront reports that Anycast list {id} does not exist.", |f, places| {
        (f.world.lies || !f.world.lists.iter().any(|list| list == places[0])) && is_wanted(f, places[0])
    }),
    says("Correct spec.anycastIpListId or create the list.", |f, _| !f.world.deleting),
    says("Anycast list {id} is IPv4-only, so spec.ipv6Enabled must be false{cause}.", |f, places| {
        is_wanted(f, places[0]) && f.spec().ipv6_enabled
    }),
    says(
        "CloudFront does not accept the change while an earlier one is {name}. The operator sends it again once the earlier one is rolled out.",
        |f, places| {
            f.says(places[0])
                && f.failed("UpdateConnectionGroup", |class| class == ErrorClass::InUse)
                && f.changed_nothing()
        },
    ),
    says(
        "When last read, the group was disabled although spec.enabled is true. To let the deletion continue with the group disabled, set spec.enabled to false.",
        |f, _| f.spec().enabled && f.world.deleting && f.spec().deletion_policy == DeletionPolicy::Retain,
    ),
    says("When last read, the group was disabled although spec.enabled is true.", |f, _| {
        f.spec().enabled && f.world.deleting
    }),
    says(
        "CloudFront refused an update of {names} together. The operator updates each one separately next, so that one does not block the others.",
        |f, _| f.failed("UpdateConnectionGroup", |_| true) && f.is_tried_within(0) && f.changed_nothing(),
    ),
    says(
        "CloudFront refused {name} {value} for connection group {name}: it reports that the Anycast list does not exist ({text}).",
        |f, places| {
            let exists = f.world.lists.iter().any(|list| list == places[1].trim_matches('\''));
            f.is_name(places[2]) && (f.world.lies || !exists) && was_refused(f)
        },
    ),
    says(
        "CloudFront refused {name} {value} for connection group {name}: the Anycast list is IPv4-only ({text}).",
        |f, places| f.is_name(places[2]) && was_refused(f),
    ),
    says(
        "CloudFront refused {name} {value} for connection group {name}: a quota is exhausted ({text}).",
        |f, places| f.is_name(places[2]) && was_refused(f),
    ),
    says(
        "CloudFront refused {name} {value} for connection group {name}: the group is in use ({text}).",
        |f, places| f.is_name(places[2]) && was_refused(f),
    ),
    says(
        "CloudFront refused {name} {value} for connection group {name}: it conflicts with something that already exists ({text}).",
        |f, places| f.is_name(places[2]) && was_refused(f),
    ),
    says("CloudFront refused {name} {value} for connection group {name} ({text}).", |f, places| {
        f.is_name(places[2]) && was_refused(f)
    }),
    says(
        "CloudFront refused to detach Anycast list {id} from connection group {name}: {text} ({text}).",
        |f, places| f.list() == Some(places[0]) && f.is_name(places[1]) && was_refused(f),
    ),
    says("CloudFront refused to detach Anycast list {id} from connection group {name} ({text}).", |f, places| {
        f.list() == Some(places[0]) && f.is_name(places[1]) && was_refused(f)
    }),
    says(
        "CloudFront accepted the request to detach Anycast list {id} from connection group {name}, but the list is still attached.",
        |f, places| f.list() == Some(places[0]) && f.is_name(places[1]) && f.done(UpdateConnectionGroup),
    ),
    advises("With this list, spec.ipv6Enabled must be false."),
    advises("Free up quota, for example by detaching the list from another group, or ask AWS to raise it."),
    advises("Remove what blocks the change, or change the spec."),
    advises("Restore spec.anycastIpListId, or detach the list by other means."),
    // An event ends with it.
    advises("Correct spec.anycastIpListId or create the list. (AWS request id {id})"),
    advises("With this list, spec.ipv6Enabled must be false. (AWS request id {id})"),
    advises(
        "Free up quota, for example by detaching the list from another group, or ask AWS to raise it. (AWS request id {id})",
    ),
    advises("Remove what blocks the change, or change the spec. (AWS request id {id})"),
    advises("Restore spec.anycastIpListId, or detach the list by other means. (AWS request id {id})"),
    advises("Correct the spec. (AWS request id {id})"),
    says("The rest of the spec is not affected.", |f, _| {
        // A refusal for a reason without a name in status is not recorded there, but the member still waits.
        let is_unrecorded =
            |class| matches!(class, ErrorClass::AccessDenied | ErrorClass::Unexpected | ErrorClass::NotFound);
        let waits = usize::from(f.was_refused(UpdateConnectionGroup, is_unrecorded));
        f.is_tried_within(1) || f.differing().len() <= refusals(f) + waits
    }),
    says(
        "The operator retries what was refused with exponential backoff, from about 30 seconds to 5 minutes, and immediately when the spec changes or \
         reconcile-requested-at is set.",
        |f, _| f.is_tried_within(300),
    ),
    advises("The operator requests the detach again when the spec changes or reconcile-requested-at is set."),
];

/// Whether such a call failed like that: `places` begins with the operation and the name of the group.
fn is_about(f: &Facts<'_>, places: &[&str], class: ErrorClass) -> bool {
    f.is_name(places[1]) && f.failed(places[0], |failed| failed == class)
}

fn is_wanted(f: &Facts<'_>, list: &str) -> bool {
    f.spec().anycast_ip_list_id.as_deref() == Some(list)
}

fn was_refused(f: &Facts<'_>) -> bool {
    f.was_refused(UpdateConnectionGroup, |_| true)
}

/// Refusals that the object's status lists.
fn refusals(f: &Facts<'_>) -> usize {
    f.world.refused
}

/// Whether AWS denied a call with this in its message.
fn is_told(f: &Facts<'_>, phrase: &str) -> bool {
    f.record.errors.iter().any(|error| error.class == ErrorClass::AccessDenied && error.message.contains(phrase))
}
