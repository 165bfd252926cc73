//! Stripe's events of the 2020 shape, as if they happened now to a payer of the measurement.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

const PAID: &str = include_str!("../../../infra/events/stripe/2020-08-27/invoice.paid.json");
const SUCCEEDED: &str = include_str!("../../../infra/events/stripe/2020-08-27/invoice.payment_succeeded.json");
const REFUNDED: &str = include_str!("../../../infra/events/stripe/2020-08-27/charge.refunded.json");

/// Whose invoice it is, and which.
#[derive(Debug, Clone)]
pub(super) struct Invoice {
    pub(super) payer: String,
    pub(super) number: usize,
}

impl Invoice {
    /// `invoice.paid`.
    pub(super) fn paid(&self, now: DateTime<Utc>) -> Value {
        self.event(PAID, now)
    }

    /// `invoice.payment_succeeded`, which Stripe sends of the same payment.
    pub(super) fn succeeded(&self, now: DateTime<Utc>) -> Value {
        self.event(SUCCEEDED, now)
    }

    /// `charge.refunded`: a quarter of it.
    pub(super) fn refunded(&self, now: DateTime<Utc>) -> Value {
        self.event(REFUNDED, now)
    }

    fn event(&self, sample: &str, now: DateTime<Utc>) -> Value {
        let Self { payer, number } = self;
        let text = sample
            .replace("account-1042", payer)
            .replace("cus_QsampleBuyer01", &format!("cus_{payer}"))
            .replace("in_1QsampleOldInvoice000000", &format!("in_{payer}_{number}"))
            .replace("pi_1QsampleOldIntent0000000", &format!("pi_{payer}_{number}"))
            .replace("ch_1QsampleOldCharge0000000", &format!("ch_{payer}_{number}"))
            .replace("re_1QsampleOldRefund0000000", &format!("re_{payer}_{number}"));
        let mut event: Value = serde_json::from_str(&text).unwrap();
        event["created"] = json!(now.timestamp());
        if let Some(paid_at) = event.pointer_mut("/data/object/status_transitions/paid_at") {
            *paid_at = json!(now.timestamp());
        }
        event
    }
}
