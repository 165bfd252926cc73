//! What Stripe's invoices say: the invoice itself, and the objects that tie payments to it.

use crate::fact::{Fact, Payer, Tie};
use crate::id::{ExternalId, SourceId};
use crate::money::AMOUNT_MAX;
use crate::source::{LABEL_BYTES_MAX, Labels, Payment, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, refuse, require};

use super::event::{customer, payments_of};
use super::{EXTERNAL_ID_KEY, processor};

/// Most payments of one invoice; Stripe lists ten of them in an event at most.
pub(super) const PAYMENTS_MAX: usize = 50;
/// Most tax rates of one invoice; Stripe allows far fewer.
const TAXES_MAX: usize = 1000;
/// Most lines of an invoice that are looked at; Stripe puts ten into an event.
const LINES_MAX: usize = 20;
/// Most keys of metadata that are kept; Stripe allows fifty.
const METADATA_MAX: usize = 20;

pub(super) fn paid(event: &Document) -> Result<Fact, EventError> {
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let currency = event.currency("/data/object/currency")?;
    let paid_at = match event.time("/data/object/status_transitions/paid_at")? {
        Some(time) => time,
        None => require("/created", event.time("/created")?)?,
    };
    // A negative total is a credit: nothing is paid, and shares of it mean nothing.
    let total = event.signed("/data/object/total")?.filter(|total| *total >= 0);
    let payment = Payment {
        amount: event.amount("/data/object/amount_paid")?,
        total,
        total_excluding_tax: total_excluding_tax(event, total)?,
        paid_at,
    };
    Ok(Fact {
        source: SourceId::invoice(processor(), id),
        payer: Payer { external_id: external_id(event)?, customer: customer(event)?, ..Payer::default() },
        state: SourceState { labels: labels(event), ..SourceState::paid(currency, payment) },
        payments: payments(event)?,
        email: None,
    })
}

pub(super) fn payment_paid(event: &Document) -> Result<Option<Fact>, EventError> {
    let invoice = require("/data/object/invoice", event.reference("/data/object/invoice")?)?;
    let payments = payments_of(event, "/data/object/payment")?;
    // A payment record stands for money that was moved outside Stripe; no refund will ever name it.
    if payments.is_empty() {
        return Ok(None);
    }
    let source = SourceId::invoice(processor(), invoice);
    let amount = paid_of(event, "/data/object")?;
    let payments = payments.into_iter().map(|payment| Tie { payment, amount }).collect();
    Ok(Some(Fact { payments, ..Fact::of(source, Payer::default(), SourceState::default()) }))
}

/// The invoice's total without tax: as given, or the total less all taxes (both inclusive and exclusive ones are part of
/// the total). Unknown when neither is given.
fn total_excluding_tax(event: &Document, total: Option<i64>) -> Result<Option<i64>, EventError> {
    let in_range = |amount: &i64| (0..=AMOUNT_MAX).contains(amount);
    if let Some(given) = event.signed("/data/object/total_excluding_tax")? {
        return Ok(Some(given).filter(in_range));
    }
    let tax = match event.signed("/data/object/tax")? {
        Some(tax) => Some(tax),
        None => match tax_sum(event, "/data/object/total_tax_amounts")? {
            Some(tax) => Some(tax),
            None => tax_sum(event, "/data/object/total_taxes")?,
        },
    };
    Ok(total.zip(tax).and_then(|(total, tax)| total.checked_sub(tax)).filter(in_range))
}

fn tax_sum(event: &Document, list: &str) -> Result<Option<i64>, EventError> {
    let Some(members) = event.members(list, TAXES_MAX)? else {
        return Ok(None);
    };
    let mut sum = 0_i64;
    for member in members {
        let pointer = format!("{member}/amount");
        sum = sum.saturating_add(require(&pointer, event.signed(&pointer)?)?);
    }
    Ok(Some(sum))
}

/// What an invoice is about: plans and products of its lines (in their places before and since basil), the customer's
/// country, and metadata. Only looked at: what is too long or of another form is left out, and refuses nothing.
fn labels(event: &Document) -> Labels {
    let mut labels = Labels::new();
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            labels.entry(key.to_owned()).or_default().insert(value.to_owned());
        }
    };
    let text = |pointer: String| event.short_text(&pointer, LABEL_BYTES_MAX);
    for line in 0..event.length("/data/object/lines/data", LINES_MAX) {
        let line = format!("/data/object/lines/data/{line}");
        put(
            "plan",
            text(format!("{line}/price/id")).or_else(|| text(format!("{line}/pricing/price_details/price"))),
        );
        let product = text(format!("{line}/price/product"));
        put("product", product.or_else(|| text(format!("{line}/pricing/price_details/product"))));
    }
    put("country", text("/data/object/customer_address/country".to_owned()));
    for (key, value) in event.short_texts("/data/object/metadata", LABEL_BYTES_MAX, METADATA_MAX) {
        if key != EXTERNAL_ID_KEY {
            put(&format!("metadata.{key}"), Some(value));
        }
    }
    labels
}

/// The payer's id in the metadata of the invoice, or of its subscription in the old or the new place.
fn external_id(event: &Document) -> Result<Option<ExternalId>, EventError> {
    let places = ["", "/subscription_details", "/parent/subscription_details"];
    for place in places {
        let pointer = format!("/data/object{place}/metadata/{EXTERNAL_ID_KEY}");
        if let Some(text) = event.text(&pointer)? {
            return ExternalId::parse(text).map(Some).map_err(|error| refuse(&pointer, error));
        }
    }
    Ok(None)
}

/// The payments that an invoice names: its own fields before basil, the list of payments since. One that was cancelled
/// may pay another invoice, and one still open says so itself when it is paid.
fn payments(event: &Document) -> Result<Vec<Tie>, EventError> {
    let untold = |payment| Tie { payment, amount: None };
    let mut payments: Vec<Tie> = payments_of(event, "/data/object")?.into_iter().map(untold).collect();
    for member in event.members("/data/object/payments/data", PAYMENTS_MAX)?.unwrap_or_default() {
        let status = event.text(&format!("{member}/status"))?;
        if status.is_none_or(|status| status == "paid") {
            let amount = paid_of(event, &member)?;
            for payment in payments_of(event, &format!("{member}/payment"))? {
                if !payments.iter().any(|known| known.payment == payment) {
                    payments.push(Tie { payment, amount });
                }
            }
        }
    }
    Ok(payments)
}

/// What a payment paid of its invoice.
fn paid_of(event: &Document, object: &str) -> Result<Option<i64>, EventError> {
    Ok(event.signed(&format!("{object}/amount_paid"))?.filter(|amount| *amount >= 0))
}
