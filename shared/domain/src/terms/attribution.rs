//! How a sign-up finds its referrer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the touches of a visitor share a referral.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttributionModel {
    /// The earliest touch gets all.
    #[default]
    FirstTouch,
    /// The latest touch gets all.
    LastTouch,
    /// Every touch gets the same.
    Linear,
    /// Each touch gets half of what one that lies `half_life_days` later gets.
    TimeDecay,
    /// 40% to the earliest, 40% to the latest, the rest to those between in equal parts; two share in halves.
    PositionBased,
}

/// Which comes first where a referee entered a code and had followed links too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precedence {
    /// The code that was entered gets all.
    #[default]
    Code,
    /// The links do, where there are any; the code else.
    Link,
}

/// How a sign-up finds its referrer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Attribution {
    /// How touches share a referral.
    pub model: AttributionModel,
    /// Days before the sign-up in which a touch counts: 1 to 365; 30 unless told.
    #[schema(minimum = 1, maximum = 365, example = 30)]
    pub window_days: u32,
    /// Whether a code beats a link.
    pub precedence: Precedence,
    /// Days in which a touch loses half of its weight, for `time_decay`: 1 to 365; 7 unless told.
    #[schema(minimum = 1, maximum = 365, example = 7)]
    pub half_life_days: u32,
    /// Whether a payment that names nobody known is the referee's who signed up with the same e-mail address; not unless
    /// told. Addresses are kept as hashes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub match_email: bool,
}

impl Default for Attribution {
    fn default() -> Self {
        Self {
            model: AttributionModel::FirstTouch,
            window_days: 30,
            precedence: Precedence::Code,
            half_life_days: 7,
            match_email: false,
        }
    }
}

impl Attribution {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
