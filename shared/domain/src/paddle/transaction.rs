//! A paid transaction.

use std::collections::BTreeMap;

use super::{EXTERNAL_ID_KEY, payer, processor};
use crate::fact::{Fact, Payer};
use crate::id::{ProcessorRef, SourceId};
use crate::money::AMOUNT_MAX;
use crate::source::{LABEL_BYTES_MAX, LINES_MAX, Line, Payment, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, require};
use crate::webhook::labels::{Collected, LABELLED_LINES_MAX};

const LINES: &str = "/data/details/line_items";
/// Most attempts to pay that are looked at for the moment of payment.
const ATTEMPTS_MAX: usize = 50;

/// What was paid is the grand total: the total less what credit covered.
pub(super) fn paid(event: &Document) -> Result<Fact, EventError> {
    let id = require("/data/id", event.reference("/data/id")?)?;
    let currency = event.currency("/data/currency_code")?;
    let total = event.signed_text("/data/details/totals/total")?.filter(|total| *total >= 0);
    let tax = event.signed_text("/data/details/totals/tax")?;
    let without_tax = total.zip(tax).and_then(|(total, tax)| total.checked_sub(tax));
    let payment = Payment {
        amount: event.amount_text("/data/details/totals/grand_total")?,
        total,
        total_excluding_tax: without_tax.filter(|amount| (0..=AMOUNT_MAX).contains(amount)),
        paid_at: paid_at(event)?,
    };
    let state = SourceState {
        lines: lines(event)?,
        lines_complete: (1..=LINES_MAX).contains(&event.count(LINES)),
        labels: labels(event),
        ..SourceState::paid(currency, payment)
    };
    let promotions = event.short_reference("/data/discount_id").into_iter().collect();
    let payer = Payer { promotions, ..payer(event)? };
    Ok(Fact::of(SourceId::invoice(processor(), id), payer, state))
}

/// When the money was taken; when the event happened, where no attempt says.
fn paid_at(event: &Document) -> Result<chrono::DateTime<chrono::Utc>, EventError> {
    let mut taken = None;
    for attempt in 0..event.length("/data/payments", ATTEMPTS_MAX) {
        let at = event.moment(&format!("/data/payments/{attempt}/captured_at"))?;
        taken = [taken, at].into_iter().flatten().min();
    }
    match taken {
        Some(at) => Ok(at),
        None => require("/occurred_at", event.moment("/occurred_at")?),
    }
}

/// The first lines that fit: each without its discount and without tax.
fn lines(event: &Document) -> Result<BTreeMap<ProcessorRef, Line>, EventError> {
    let mut lines = BTreeMap::new();
    for line in 0..event.length(LINES, LINES_MAX) {
        let line = format!("{LINES}/{line}");
        let place = format!("{line}/id");
        let id = require(&place, event.reference(&place)?)?;
        let place = format!("{line}/totals/subtotal");
        let subtotal = require(&place, event.signed_text(&place)?)?;
        let discount = event.signed_text(&format!("{line}/totals/discount"))?.unwrap_or(0);
        let text =
            |name: &str| event.short_text(&format!("{line}/{name}"), LABEL_BYTES_MAX).map(str::to_owned);
        let line = Line {
            // Both are bounded, so the difference is too.
            amount: subtotal.saturating_sub(discount).clamp(-AMOUNT_MAX, AMOUNT_MAX),
            plan: text("price_id"),
            product: text("product/id"),
            proration: event.has(&format!("{line}/proration")),
        };
        lines.insert(id, line);
    }
    Ok(lines)
}

fn labels(event: &Document) -> crate::source::Labels {
    let mut labels = Collected::new(event);
    for line in 0..event.length(LINES, LABELLED_LINES_MAX) {
        labels.put("plan", &format!("{LINES}/{line}/price_id"));
        labels.put("product", &format!("{LINES}/{line}/product/id"));
    }
    labels.put_metadata("/data/custom_data", EXTERNAL_ID_KEY);
    labels.labels()
}
