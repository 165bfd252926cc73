//! What can become of a call.

use std::fmt;

use crate::stripe::Trouble;

/// For how long whoever is asked too much wants to be left alone.
pub(super) const AWAY_SECONDS: u32 = 7;

/// Where a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `DynamoDB`.
    Table,
    /// SQS.
    Queue,
    /// Secrets Manager.
    Secrets,
    /// The payment processor.
    Processor,
    /// Whoever is sent webhooks.
    Receiver,
}

/// One call that left a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where it went.
    pub service: Service,
    /// What it asked for, `TransactWriteItems` for example; the method where it is no call to AWS.
    pub operation: String,
    /// Whether it read an index, which may lag behind the table.
    pub by_index: bool,
}

impl Call {
    /// Whether it changes something if it is answered.
    pub fn writes(&self) -> bool {
        !matches!(self.operation.as_str(), "GetItem" | "Query" | "GetSecretValue" | "GET")
    }

    /// All that can become of it other than being answered.
    pub fn effects(&self) -> Vec<Effect> {
        use Effect::{
            ErrorAfter, ErrorBefore, Garbled, Late, LoseAnswer, Refuse, StopAfter, StopBefore, Throttle,
        };
        match (self.service, self.writes()) {
            (Service::Table | Service::Queue | Service::Secrets, _) => self.effects_at_aws(),
            (Service::Processor, false) => vec![Refuse, StopBefore, Throttle, ErrorBefore, Garbled],
            (Service::Processor, true) => {
                let before = [Refuse, StopBefore, Throttle, ErrorBefore];
                before.into_iter().chain([StopAfter, LoseAnswer, Late, ErrorAfter, Garbled]).collect()
            }
            (Service::Receiver, _) => {
                vec![Refuse, StopBefore, Throttle, ErrorBefore, StopAfter, LoseAnswer]
            }
        }
    }

    fn effects_at_aws(&self) -> Vec<Effect> {
        let mut effects = vec![Effect::Refuse, Effect::StopBefore];
        if self.service == Service::Table {
            effects.push(Effect::Throttle);
        }
        if self.writes() {
            effects.extend([Effect::StopAfter, Effect::LoseAnswer, Effect::LoseAnswerOnce]);
        }
        if self.service == Service::Table && self.writes() {
            effects.push(Effect::Conflict);
        }
        if self.by_index {
            effects.push(Effect::Stale);
        }
        effects
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The service has an internal error before anything is done, however often the SDK asks. Elsewhere than at AWS the
    /// connection breaks before.
    Refuse,
    /// The service says that it is asked too much, however often the SDK asks. Elsewhere it wants to be left alone for some
    /// seconds.
    Throttle,
    /// Another transaction is at the same rows.
    Conflict,
    /// It is done, the answer is lost, and the service cannot be reached any more during this call.
    LoseAnswer,
    /// It is done and the answer is lost; the SDK asks again and meets what it has done itself.
    LoseAnswerOnce,
    /// The process ends before the call is done.
    StopBefore,
    /// The process ends after the call is done, before it is answered.
    StopAfter,
    /// The index has not seen the last write yet.
    Stale,
    /// Of the processor: nothing is answered, and it is done when it has been asked for once more and told off.
    Late,
    /// Elsewhere than at AWS: an internal error before anything is done; the processor keeps it under the call's key.
    ErrorBefore,
    /// Of the processor: an internal error after it is done, kept under the call's key.
    ErrorAfter,
    /// Of the processor: it is done, and what is answered cannot be read.
    Garbled,
}

impl Effect {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Refuse,
        Self::Throttle,
        Self::Conflict,
        Self::LoseAnswer,
        Self::LoseAnswerOnce,
        Self::StopBefore,
        Self::StopAfter,
        Self::Stale,
        Self::Late,
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::Garbled,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Throttle => "throttle",
            Self::Conflict => "conflict",
            Self::LoseAnswer => "lose-answer",
            Self::LoseAnswerOnce => "lose-answer-once",
            Self::StopBefore => "stop-before",
            Self::StopAfter => "stop-after",
            Self::Stale => "stale",
            Self::Late => "late",
            Self::ErrorBefore => "error-before",
            Self::ErrorAfter => "error-after",
            Self::Garbled => "garbled",
        }
    }

    /// What it is to the processor.
    pub(super) const fn trouble(self) -> Option<Trouble> {
        match self {
            Self::Refuse => Some(Trouble::CloseBefore),
            Self::Throttle => Some(Trouble::RateLimited(AWAY_SECONDS)),
            Self::LoseAnswer | Self::LoseAnswerOnce => Some(Trouble::CloseAfter),
            Self::Late => Some(Trouble::Slow),
            Self::ErrorBefore => Some(Trouble::ErrorBefore),
            Self::ErrorAfter => Some(Trouble::ErrorAfter),
            Self::Garbled => Some(Trouble::Garbled),
            Self::Conflict | Self::StopBefore | Self::StopAfter | Self::Stale => None,
        }
    }
}

/// One planned fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The number of the call it befalls, from 0, counted from the story's beginning. The SDK's repetitions of a call are
    /// not counted.
    pub call: usize,
    /// What becomes of it.
    pub effect: Effect,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.call, self.effect.name())
    }
}

impl std::str::FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (call, name) =
            text.split_once(':').ok_or_else(|| anyhow::anyhow!("{text} is not CALL:EFFECT"))?;
        let effect = Effect::ALL.into_iter().find(|effect| effect.name() == name);
        Ok(Self {
            call: call.parse()?,
            effect: effect.ok_or_else(|| anyhow::anyhow!("no effect is {name}"))?,
        })
    }
}
