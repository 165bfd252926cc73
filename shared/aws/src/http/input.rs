//! What a request holds, parsed into the types of the rules; what cannot be used is named by its pointer.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use domain::id::IdError;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{FieldError, Problem};

/// A JSON body. Unknown fields, wrong types and values out of bounds are refused with their pointers.
#[derive(Debug, Clone)]
pub struct Json<T> {
    /// The parsed body.
    pub value: T,
    /// SHA-256 of the body as it came, in hex: tells a repeated request from another.
    pub hash: String,
}

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(too_large)?;
        // No body at all is an object without fields.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // A list would be read as the object's fields in their order.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::field("", "must be a JSON object"));
        }
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            Problem::field(pointer_of(error.path()), without_position(&error.into_inner().to_string()))
        })?;
        reader.end().map_err(|_| Problem::field("", "there is more after the JSON value"))?;
        Ok(Self { value, hash: hex::encode(Sha256::digest(&bytes)) })
    }
}

/// Reads a part of a body as if it were a body of its own.
///
/// # Errors
/// 400 with pointers into the part.
pub fn read_part<T: DeserializeOwned>(part: serde_json::Value) -> Result<T, Problem> {
    if !part.is_object() {
        return Err(Problem::field("", "must be a JSON object"));
    }
    serde_path_to_error::deserialize(part)
        .map_err(|error| Problem::field(pointer_of(error.path()), error.into_inner()))
}

fn too_large(rejection: BytesRejection) -> Problem {
    if rejection.status().as_u16() == 413 {
        Problem::new(413, "body_too_large", "The body is too large.")
    } else {
        Problem::new(400, "unreadable_body", "The body could not be read.")
    }
}

/// `rules[0].id` as `/rules/0/id`.
fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// serde's message without the position in the text, which the pointer says better.
fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

/// Query parameters; unknown ones are refused too.
#[derive(Debug, Clone)]
pub struct Params<T>(pub T);

impl<S, T> FromRequestParts<S> for Params<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let detail = text.split(": ").skip(1).collect::<Vec<_>>().join(": ");
            let (name, detail) = match detail.split_once(": ") {
                Some((name, rest)) if !name.contains(' ') => (name.to_owned(), rest.to_owned()),
                // serde quotes the parameter that is missing or given twice.
                _ => (detail.split('`').nth(1).unwrap_or_default().to_owned(), detail),
            };
            Problem::field(format!("?{name}"), detail)
        })
    }
}

/// Parts of the path, percent-decoded.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<S, T> FromRequestParts<S> for Path<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Problem::field("{path}", "cannot be read"))
    }
}

/// An id in the path.
pub trait PathId: Sized {
    /// Reads an id that the engine made: a text of another form names nothing.
    ///
    /// # Errors
    /// 404.
    fn own(text: &str, what: &str) -> Result<Self, Problem>;
    /// Reads an id that the caller chose. `pointer` says where it stands: `{name}` in the path, `?name` in the query.
    ///
    /// # Errors
    /// 400 with what the id must look like.
    fn theirs(text: &str, pointer: &str) -> Result<Self, Problem>;
}

impl<T: TryFrom<String, Error = IdError>> PathId for T {
    fn own(text: &str, what: &str) -> Result<Self, Problem> {
        Self::try_from(text.to_owned()).map_err(|_| Problem::not_found(what))
    }

    fn theirs(text: &str, pointer: &str) -> Result<Self, Problem> {
        Self::try_from(text.to_owned()).map_err(|error| Problem::field(pointer, error))
    }
}

/// The caller's `Idempotency-Key`, if there is one: 1 to 128 printable ASCII characters.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let text = value.to_str().ok().filter(|text| (1..=128).contains(&text.len()));
        let text = text.ok_or_else(|| {
            let detail =
                "the Idempotency-Key header must have 1 to 128 printable ASCII characters".to_owned();
            Problem::invalid(vec![FieldError { pointer: "Idempotency-Key".to_owned(), detail }])
        })?;
        Ok(Self(Some(text.to_owned())))
    }
}
