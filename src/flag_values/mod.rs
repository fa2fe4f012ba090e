//! Values of flags that several parts take. Pure: text -> value, or a sentence that says what is wrong with it.

mod endpoint_url;

use std::time::Duration;

pub use self::endpoint_url::EndpointUrl;

/// A duration of at least 100 ms.
///
/// # Errors
/// What a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_millis(100) => Ok(duration),
        Ok(_) => Err("must be at least 100ms".to_owned()),
        Err(_) => Err("must be a duration such as 10s, 1m30s or 6h".to_owned()),
    }
}

/// The same in whole seconds.
///
/// # Errors
/// What a duration looks like.
pub fn whole_seconds(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        duration if duration.subsec_nanos() == 0 => Ok(duration),
        _ => Err("must be whole seconds, such as 15s".to_owned()),
    }
}
