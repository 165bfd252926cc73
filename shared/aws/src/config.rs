//! Configuration: each function reads its variables once, at start, through a lookup that tests can give.

/// How a variable is looked up by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable that the function needs and does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is not set; template.yaml sets it for every function that needs it")]
pub struct ConfigError {
    /// Its name.
    pub name: String,
}

/// A variable that must be there and not empty.
///
/// # Errors
/// [`ConfigError`] names it.
pub fn required(lookup: Lookup<'_>, name: &str) -> Result<String, ConfigError> {
    optional(lookup, name).ok_or_else(|| ConfigError { name: name.to_owned() })
}

/// A variable that may be missing; an empty one is.
#[must_use]
pub fn optional(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).filter(|value| !value.is_empty())
}

/// The lookup of a running function.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is where configuration is read")]
    std::env::var(name).ok()
}
