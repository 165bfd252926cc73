//! Stripe's sample events, as if they happened now to a payer of the measurement.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// The events of one shape.
#[derive(Debug)]
pub(super) struct Shape {
    paid: &'static str,
    succeeded: &'static str,
    refunded: &'static str,
}

macro_rules! sample {
    ($version:literal, $event:literal) => {
        include_str!(concat!("../../../infra/events/stripe/", $version, "/", $event, ".json"))
    };
}

/// 2020-08-27: an invoice names its payment and its charge.
pub(super) static OLD: Shape = Shape {
    paid: sample!("2020-08-27", "invoice.paid"),
    succeeded: sample!("2020-08-27", "invoice.payment_succeeded"),
    refunded: sample!("2020-08-27", "charge.refunded"),
};

/// 2025-05-28.basil: an invoice names neither.
pub(super) static BASIL: Shape = Shape {
    paid: sample!("basil", "invoice.paid"),
    succeeded: sample!("basil", "invoice.payment_succeeded"),
    refunded: sample!("basil", "charge.refunded"),
};

/// The event that ties a payment to its invoice since basil.
const TIED: &str = sample!("basil", "invoice_payment.paid");

/// Whose invoice it is, and which.
#[derive(Debug, Clone)]
pub(super) struct Invoice {
    pub(super) shape: &'static Shape,
    pub(super) payer: String,
    pub(super) number: usize,
}

impl Invoice {
    /// `invoice.paid`.
    pub(super) fn paid(&self, now: DateTime<Utc>) -> Value {
        self.event(self.shape.paid, now)
    }

    /// `invoice.payment_succeeded`, which Stripe sends of the same payment.
    pub(super) fn succeeded(&self, now: DateTime<Utc>) -> Value {
        self.event(self.shape.succeeded, now)
    }

    /// `charge.refunded`: a quarter of it.
    pub(super) fn refunded(&self, now: DateTime<Utc>) -> Value {
        self.event(self.shape.refunded, now)
    }

    /// `invoice_payment.paid`.
    pub(super) fn tied(&self, now: DateTime<Utc>) -> Value {
        self.event(TIED, now)
    }

    fn event(&self, sample: &str, now: DateTime<Utc>) -> Value {
        let Self { payer, number, .. } = self;
        let mut text =
            sample.replace("account-1042", payer).replace("cus_QsampleBuyer01", &format!("cus_{payer}"));
        for kind in ["in", "inpay", "pi", "ch", "re"] {
            text = replace_ids(&text, kind, &format!("{kind}_{payer}_{number}"));
        }
        let mut event: Value = serde_json::from_str(&text).unwrap();
        event["created"] = json!(now.timestamp());
        if let Some(paid_at) = event.pointer_mut("/data/object/status_transitions/paid_at") {
            *paid_at = json!(now.timestamp());
        }
        event
    }
}

/// Puts another id for every one of a kind; each sample speaks of one object of a kind.
fn replace_ids(text: &str, kind: &str, id: &str) -> String {
    let begin = format!("\"{kind}_1Qsample");
    let mut parts = text.split(&begin);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap_or_default();
        replaced.push_str(&format!("\"{id}\"{rest}"));
    }
    replaced
}
