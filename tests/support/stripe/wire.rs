//! Requests and answers, as plain values.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What the query and the body say.
    pub form: BTreeMap<String, String>,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    /// A request as it is on the wire; `uri` may begin with a host.
    pub fn read(method: &str, uri: &str, headers: BTreeMap<String, String>, body: &[u8]) -> Self {
        let uri = uri.split_once("://").map_or(uri, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let pairs = [query.as_bytes(), body].map(|text| form_urlencoded::parse(text).into_owned());
        let form = pairs.into_iter().flatten().collect();
        Self { method: method.to_owned(), path: path.to_owned(), form, headers }
    }

    /// The value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// A parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }

    /// What `metadata[...]` says.
    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        let name = |name: &str| Some(name.strip_prefix("metadata[")?.strip_suffix(']')?.to_owned());
        self.form.iter().filter_map(|(key, value)| Some((name(key)?, value.clone()))).collect()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers beside the content's type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// An object.
    pub(super) fn object(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.to_string() }
    }

    /// An error in Stripe's form.
    pub(super) fn error(status: u16, kind: &str, code: Option<&str>, param: Option<&str>) -> Self {
        let error =
            json!({"type": kind, "code": code, "param": param, "message": format!("No: {code:?} {param:?}")});
        Self { status, headers: Vec::new(), body: json!({"error": error}).to_string() }
    }

    /// A request that is wrong in itself.
    pub(super) fn invalid(code: &str, param: &str) -> Self {
        Self::error(400, "invalid_request_error", Some(code), Some(param))
    }

    /// Not Stripe's own, but of whatever is in between.
    pub(super) fn page(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: "<html><body>Sorry.</body></html>".to_owned() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
