//! What Stripe's answers mean. (<https://docs.stripe.com/api/errors>, <https://docs.stripe.com/error-low-level>,
//! <https://docs.stripe.com/rate-limits>)

use aws::outbound::Answer;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::Value;

use crate::way::Undone;

/// Longest wait that Stripe is believed to ask for, in seconds.
const RETRY_AFTER_MAX: u32 = 3_600;
/// Longest word of an error that is passed on, in characters.
const WORD_MAX: usize = 60;

/// A call that did not come to what it asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// What it means is clear.
    Undone(Undone),
    /// It was looked at and refused. What that means depends on what was asked.
    Refused(Refused),
}

/// An error as Stripe tells it, without its message: that may name people, and hold a part of the key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refused {
    #[serde(skip)]
    pub(super) status: u16,
    #[serde(rename = "type")]
    kind: Option<String>,
    pub(super) code: Option<String>,
    pub(super) param: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: Refused,
}

impl From<Undone> for Failure {
    fn from(undone: Undone) -> Self {
        Self::Undone(undone)
    }
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Undone(undone) => undone,
            Failure::Refused(refused) => refused.never("processor_refused"),
        }
    }
}

impl Refused {
    /// The refusal under a stable code.
    pub(super) fn never(&self, code: &'static str) -> Undone {
        Undone::never(code, self.text())
    }

    fn text(&self) -> String {
        let plain = |word: &&String| {
            word.len() <= WORD_MAX
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_[]".contains(&byte))
        };
        let words = [&self.kind, &self.code, &self.param];
        let words = words.into_iter().flatten().filter(plain).map(|word| format!(" {word}"));
        format!("Stripe answered {}{}", self.status, words.collect::<String>())
    }
}

/// Reads an answer.
pub(super) fn read(answer: &Answer) -> Result<Value, Failure> {
    let status = answer.status;
    if status.is_success() {
        let body = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
        return body.ok_or_else(|| unreadable(status).into());
    }
    // What Stripe has kept is the end of the key's request, and the key will tell nothing else. Any other answer may be
    // that of somebody in between, or of a second request while the first is under way.
    let renew = answer.headers.get("idempotent-replayed").is_some_and(|value| value == "true");
    let wait = |detail: String| Undone::Later { after_seconds: retry_after(answer), renew, detail };
    let body = serde_json::from_slice::<ErrorBody>(&answer.body);
    let refused = body.map(|body| Refused { status: status.as_u16(), ..body.error });
    let undone = match (status, refused) {
        // Whatever is in between, a proxy say, may not speak Stripe's language.
        (StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _)
        | (StatusCode::FAILED_DEPENDENCY, _) => wait(format!("Stripe answered {}", status.as_u16())),
        (status, _) if status.is_server_error() => wait(format!("Stripe answered {}", status.as_u16())),
        (_, Err(_)) => {
            Undone::later(format!("an answer with status {} that is not Stripe's", status.as_u16()))
        }
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Ok(refused)) => {
            refused.never("processor_refused_key")
        }
        (_, Ok(refused)) if refused.kind.as_deref() == Some("idempotency_error") => {
            refused.never("idempotency_conflict")
        }
        (_, Ok(refused)) => return Err(Failure::Refused(refused)),
    };
    Err(undone.into())
}

fn unreadable(status: StatusCode) -> Undone {
    Undone::later(format!("an answer with status {} that cannot be read", status.as_u16()))
}

/// An answer of another form than is documented.
pub(super) fn malformed(what: &str) -> Undone {
    Undone::later(format!("Stripe's answer has no usable {what}"))
}

fn retry_after(answer: &Answer) -> Option<u32> {
    let seconds: u32 = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
