//! What the check holds of each class of error, independently of the operator. No wildcard, so that a new class has to be judged here. Pure.

use connection_group_operator::cloudfront::ErrorClass;

/// Whether such an answer may come although the call had its effect.
pub const fn may_hide_an_effect(class: ErrorClass) -> bool {
    match class {
        ErrorClass::ServiceUnavailable | ErrorClass::TimedOut | ErrorClass::Unreachable | ErrorClass::Unexpected => {
            true
        }
        ErrorClass::Throttled
        | ErrorClass::Credentials
        | ErrorClass::AccessDenied
        | ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::LimitExceeded
        | ErrorClass::InvalidArgument
        | ErrorClass::StaleEtag
        | ErrorClass::InUse
        | ErrorClass::NotDisabled
        | ErrorClass::HasTenants => false,
    }
}

/// Whether only a change of the spec, of rights, or of a quota can be expected to end it; all else passes by itself.
pub const fn needs_a_person(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Credentials
        | ErrorClass::AccessDenied
        | ErrorClass::LimitExceeded
        | ErrorClass::InvalidArgument => true,
        ErrorClass::Throttled
        | ErrorClass::ServiceUnavailable
        | ErrorClass::TimedOut
        | ErrorClass::Unreachable
        | ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::StaleEtag
        | ErrorClass::InUse
        | ErrorClass::NotDisabled
        | ErrorClass::HasTenants
        | ErrorClass::Unexpected => false,
    }
}
