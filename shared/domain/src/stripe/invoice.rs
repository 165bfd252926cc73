//! What Stripe's invoices say: the invoice itself, and the objects that tie payments to it.
//!
//! What was paid, and how much of it outside Stripe:
//!
//! | | before basil | since |
//! |---|---|---|
//! | `amount_paid` | without what was paid outside | with it |
//! | paid outside | `paid_out_of_band`: all that `amount_paid` lacks of `amount_due`, under the invoice's own id | each payment of type `payment_record`, under the id of its `invoice_payment` |
//! | overpaid | - | `amount_overpaid`: it goes to the customer's balance and is no revenue of this invoice |

use std::collections::BTreeMap;

use crate::fact::{Fact, Payer, Tie};
use crate::id::{ProcessorRef, SourceId};
use crate::money::AMOUNT_MAX;
use crate::source::{LABEL_BYTES_MAX, Labels, Payment, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, require};

use super::lines::{self, Lines};
use super::payer::{customer, email, external_id, payments_of, promotion, promotions};
use super::{EXTERNAL_ID_KEY, processor};

/// Most payments of one invoice; Stripe lists ten of them in an event at most.
pub(super) const PAYMENTS_MAX: usize = 50;
/// Most tax rates of one invoice; Stripe allows far fewer.
const TAXES_MAX: usize = 1000;
/// Most lines of an invoice whose plans and products are kept as labels; Stripe puts ten into an event.
const LABELLED_LINES_MAX: usize = 20;
/// Most keys of metadata that are kept; Stripe allows fifty.
const METADATA_MAX: usize = 20;

/// A paid invoice.
pub(super) fn paid(event: &Document) -> Result<Fact, EventError> {
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let currency = event.currency("/data/object/currency")?;
    let paid_at = match event.time("/data/object/status_transitions/paid_at")? {
        Some(time) => time,
        None => require("/created", event.time("/created")?)?,
    };
    // A negative total is a credit: nothing is paid, and shares of it mean nothing.
    let total = event.signed("/data/object/total")?.filter(|total| *total >= 0);
    let (amount, outside) = amounts(event, total)?;
    let payment = Payment { amount, total, total_excluding_tax: total_excluding_tax(event, total)?, paid_at };
    let (payments, mut out_of_band) = payments(event)?;
    if outside > 0 {
        out_of_band.insert(id.clone(), outside);
    }
    let Lines { known: lines, complete: lines_complete } = lines::read(event);
    let labels = labels(event);
    let state =
        SourceState { out_of_band, lines, lines_complete, labels, ..SourceState::paid(currency, payment) };
    let fact = Fact::of(SourceId::invoice(processor(), id), payer(event)?, state);
    Ok(Fact { payments, email: email(event, &["/data/object/customer_email"]), ..fact })
}

/// What was paid in all, and what of it outside Stripe as far as the invoice itself says so.
fn amounts(event: &Document, total: Option<i64>) -> Result<(i64, i64), EventError> {
    let paid = event.amount("/data/object/amount_paid")?;
    let due = event.signed("/data/object/amount_due")?.filter(|due| *due >= 0).or(total).unwrap_or(paid);
    if event.flag("/data/object/paid_out_of_band")? == Some(true) {
        let amount = paid.max(due);
        let charged = event.reference("/data/object/charge")?.is_some();
        let outside = amount.saturating_sub(paid);
        return Ok((amount, if outside == 0 && !charged { amount } else { outside }));
    }
    let overpaid = event.signed("/data/object/amount_overpaid")?.is_some_and(|overpaid| overpaid > 0);
    Ok((if overpaid { paid.min(due) } else { paid }, 0))
}

fn payer(event: &Document) -> Result<Payer, EventError> {
    let owners =
        ["/data/object", "/data/object/subscription_details", "/data/object/parent/subscription_details"];
    let mut payer =
        Payer { external_id: external_id(event, &owners)?, customer: customer(event)?, ..Payer::default() };
    let found = &mut payer.promotions;
    promotion(event, "/data/object/discount", found);
    let mut lists =
        vec!["/data/object/discounts".to_owned(), "/data/object/total_discount_amounts".to_owned()];
    for line in 0..event.length("/data/object/lines/data", LABELLED_LINES_MAX) {
        lists.push(format!("/data/object/lines/data/{line}/discounts"));
    }
    promotions(event, &lists, found);
    Ok(payer)
}

/// One payment of an invoice.
pub(super) fn payment_paid(event: &Document) -> Result<Option<Fact>, EventError> {
    let invoice = require("/data/object/invoice", event.reference("/data/object/invoice")?)?;
    let source = SourceId::invoice(processor(), invoice);
    if let Some((id, amount)) = paid_outside(event, "/data/object")? {
        let currency = Some(event.currency("/data/object/currency")?);
        let out_of_band = BTreeMap::from([(id, amount)]);
        let state = SourceState { currency, out_of_band, ..SourceState::default() };
        return Ok(Some(Fact::of(source, Payer::default(), state)));
    }
    let payments = payments_of(event, "/data/object/payment")?;
    if payments.is_empty() {
        return Ok(None);
    }
    let amount = paid_of(event, "/data/object")?;
    let payments = payments.into_iter().map(|payment| Tie { payment, amount }).collect();
    Ok(Some(Fact { payments, ..Fact::of(source, Payer::default(), SourceState::default()) }))
}

/// A voided invoice: whatever it may have earned is taken back.
pub(super) fn voided(event: &Document) -> Result<Fact, EventError> {
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let state = SourceState::void(Some(event.currency("/data/object/currency")?));
    let payer = Payer { customer: customer(event)?, ..Payer::default() };
    Ok(Fact::of(SourceId::invoice(processor(), id), payer, state))
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

/// What an invoice is about: plans and products of its lines, the customer's country, and metadata. Only looked at: what
/// is too long or of another form is left out, and refuses nothing.
fn labels(event: &Document) -> Labels {
    let mut labels = metadata_labels(event);
    for line in 0..event.length("/data/object/lines/data", LABELLED_LINES_MAX) {
        let line = format!("/data/object/lines/data/{line}");
        put(&mut labels, "plan", lines::price(event, &line));
        put(&mut labels, "product", lines::product(event, &line));
    }
    put(&mut labels, "country", event.short_text("/data/object/customer_address/country", LABEL_BYTES_MAX));
    labels
}

/// The metadata of an event's object as labels, without the payer's id.
pub(super) fn metadata_labels(event: &Document) -> Labels {
    let mut labels = Labels::new();
    for (key, value) in event.short_texts("/data/object/metadata", LABEL_BYTES_MAX, METADATA_MAX) {
        if key != EXTERNAL_ID_KEY {
            put(&mut labels, &format!("metadata.{key}"), Some(value));
        }
    }
    labels
}

/// Adds a label, where there is one.
pub(super) fn put(labels: &mut Labels, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        labels.entry(key.to_owned()).or_default().insert(value.to_owned());
    }
}

/// The payments that an invoice names, and what was paid outside Stripe: its own fields before basil, the list of payments
/// since. One that was cancelled may pay another invoice, and one still open says so itself when it is paid.
fn payments(event: &Document) -> Result<(Vec<Tie>, BTreeMap<ProcessorRef, i64>), EventError> {
    let untold = |payment| Tie { payment, amount: None };
    let mut ties: Vec<Tie> = payments_of(event, "/data/object")?.into_iter().map(untold).collect();
    let mut out_of_band = BTreeMap::new();
    for member in event.members("/data/object/payments/data", PAYMENTS_MAX)?.unwrap_or_default() {
        if event.text(&format!("{member}/status"))?.is_some_and(|status| status != "paid") {
            continue;
        }
        if let Some((id, amount)) = paid_outside(event, &member)? {
            out_of_band.insert(id, amount);
            continue;
        }
        let amount = paid_of(event, &member)?;
        for payment in payments_of(event, &format!("{member}/payment"))? {
            if !ties.iter().any(|known| known.payment == payment) {
                ties.push(Tie { payment, amount });
            }
        }
    }
    Ok((ties, out_of_band))
}

/// What an invoice's payment paid outside Stripe, by its own id: a payment record stands for money that was moved
/// elsewhere, and no refund will ever name it.
fn paid_outside(event: &Document, object: &str) -> Result<Option<(ProcessorRef, i64)>, EventError> {
    if event.text(&format!("{object}/payment/type"))? != Some("payment_record") {
        return Ok(None);
    }
    let pointer = format!("{object}/id");
    let id = require(&pointer, event.reference(&pointer)?)?;
    Ok(Some((id, event.amount(&format!("{object}/amount_paid"))?)))
}

/// What a payment paid of its invoice.
fn paid_of(event: &Document, object: &str) -> Result<Option<i64>, EventError> {
    Ok(event.signed(&format!("{object}/amount_paid"))?.filter(|amount| *amount >= 0))
}

#[cfg(test)]
#[path = "invoice_tests.rs"]
mod tests;
