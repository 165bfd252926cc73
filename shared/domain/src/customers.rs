//! Under which ids payment processors know a participant, so that rewards can be delivered there.
//!
//! Not to be confused with the customers that pay: those are referees, and are found by what their payments say.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::StripeCustomerId;

/// A participant's ids as a customer of payment processors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Customers {
    /// At Stripe.
    #[serde(default)]
    #[schema(example = "cus_123")]
    pub stripe: Option<StripeCustomerId>,
}

impl Customers {
    /// Whether no processor knows it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
