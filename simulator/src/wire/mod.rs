//! REST-XML: HTTP requests come in, [`Request`]s go out; results come in, [`Answer`]s go out. Pure.

mod body;
mod decode;
mod encode;
mod xml;

pub use decode::decode;
pub use encode::{done_as, encode, error_answer, leave_out};

use crate::request::Request;

/// As much of an HTTP request as the API cares for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path, still percent-encoded: an ARN holds an encoded slash.
    pub path: &'a str,
    /// The query, still percent-encoded.
    pub query: &'a str,
    /// The `If-Match` header.
    pub if_match: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The error code in it, if it is an error.
    pub error: Option<String>,
    /// `Content-Type`, if there is a body.
    pub content_type: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The access key id in an `Authorization` header of Signature Version 4. The signature itself is not looked at.
#[must_use]
pub fn access_key_id(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.split_once("Credential=")?;
    let (key, _) = credential.split_once('/')?;
    Some(key).filter(|key| !key.is_empty())
}

/// What a decoded request is, or why it could not be decoded.
pub type Decoded = Result<Request, crate::error::ServiceError>;
