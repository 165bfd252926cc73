//! Texts with variables, for notifications: `{{ account_referral_code }}` (mission 000). They are written in Jinja's syntax,
//! without anything that could be called; what is wrong with one is found when it is written, not when it is sent.

use std::collections::BTreeMap;
use std::io;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::terms::RewardKind;

/// Most bytes that one text comes to.
pub const RENDERED_BYTES_MAX: usize = 16 * 1024;
/// Most steps that a text takes; a plain one takes two for each variable.
const FUEL: u64 = 2_000;
/// Deepest nesting of what a text says.
const RECURSION_MAX: usize = 20;

/// What a text can name: who it is for, and of which program.
const ALWAYS: [&str; 4] =
    ["account_referral_code", "participant_name", "participant_external_id", "program_name"];

/// What a text is about, by which it can name its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A reward of a kind.
    Reward(RewardKind),
    /// A campaign.
    Campaign,
}

/// What a text is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Plain text: nothing is escaped.
    Plain,
    /// HTML: what variables hold is escaped.
    Html,
}

/// Values by the names of their variables.
pub type Variables = BTreeMap<&'static str, String>;

/// A text that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

impl TemplateError {
    pub(crate) fn too_long() -> Self {
        Self(format!("comes to more than {RENDERED_BYTES_MAX} bytes"))
    }
}

impl Scope {
    /// The variables that there are.
    pub fn variables(self) -> impl Iterator<Item = &'static str> {
        let own: &[&str] = match self {
            Self::Reward(RewardKind::Discount) => &["referee_external_id", "reward_amount", "discount_code"],
            Self::Reward(kind) if kind.is_action() => &["referee_external_id"],
            Self::Reward(_) => &["referee_external_id", "reward_amount"],
            Self::Campaign => &["unsubscribe_url"],
        };
        ALWAYS.iter().chain(own).copied()
    }
}

/// Looks whether a text can be used: that it can be read, and names only what there is.
///
/// # Errors
/// [`TemplateError`] says what is wrong.
pub fn check(text: &str, form: Form, scope: Scope) -> Result<(), TemplateError> {
    let environment = environment(form);
    let template = environment.template_from_str(text).map_err(failed)?;
    let mut unknown: Vec<String> = template
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !scope.variables().any(|known| known == name))
        .collect();
    unknown.sort_unstable();
    if let Some(name) = unknown.first() {
        let known: Vec<&str> = scope.variables().collect();
        return Err(TemplateError(format!(
            "names the variable {name:?}; there are only {}",
            known.join(", ")
        )));
    }
    let sample = scope.variables().map(|name| (name, "sample".to_owned())).collect();
    render(text, form, &sample).map(|_| ())
}

/// A text with its variables put in.
///
/// # Errors
/// [`TemplateError`] where it names something else, takes too long, or comes to more than [`RENDERED_BYTES_MAX`].
pub fn render(text: &str, form: Form, variables: &Variables) -> Result<String, TemplateError> {
    let environment = environment(form);
    let template = environment.template_from_str(text).map_err(failed)?;
    let context = Value::from_pairs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    let mut written = Bounded::default();
    let rendered = template.render_captured_to(context, &mut written);
    if written.is_full {
        return Err(TemplateError::too_long());
    }
    rendered.map(|_| ()).map_err(failed)?;
    String::from_utf8(written.bytes).map_err(|_| TemplateError("is no text".to_owned()))
}

fn environment(form: Form) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(move |_| match form {
        Form::Plain => AutoEscape::None,
        Form::Html => AutoEscape::Html,
    });
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION_MAX);
    environment
}

fn failed(error: minijinja::Error) -> TemplateError {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    TemplateError(format!("cannot be used: {}{detail}{line}", error.kind()))
}

/// A text that is being written, up to a length.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(part.len()) > RENDERED_BYTES_MAX {
            self.is_full = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
