//! What the model check assumes about each class of error, independently of the operator. No wildcard, so that a new class must be added here. Pure.

use connection_group_operator::cloudfront::ErrorClass;

/// Whether the answer may be this error although the call took effect.
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

/// Whether only a change of the spec, of permissions or of a quota can be expected to end it; everything else ends by itself.
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
