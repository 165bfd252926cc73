//! Invoices and credit notes. An invoice is told whole each time, so every event that holds one says the same of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{EXTERNAL_ID_KEY, email, payer, processor};
use crate::fact::{Fact, PROMOTIONS_MAX, Payer, Tie};
use crate::id::{ProcessorRef, SourceId};
use crate::money::AMOUNT_MAX;
use crate::source::{LABEL_BYTES_MAX, LINES_MAX, Labels, Line, Payment, RefundStatus, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, require};
use crate::webhook::labels::{Collected, LABELLED_LINES_MAX};

const INVOICE: &str = "/content/invoice";
const NOTE: &str = "/content/credit_note";
const TRANSACTION: &str = "/content/transaction";
/// Most payments of an invoice that are tied to it.
const PAYMENTS_MAX: usize = 20;
/// Most discounts of an invoice that are looked at for coupons.
const DISCOUNTS_MAX: usize = 50;

pub(super) fn facts(event: &Document) -> Result<Vec<Fact>, EventError> {
    let invoice = if event.has(INVOICE) { invoice(event)? } else { None };
    let note = if event.has(NOTE) { credit_note(event)? } else { None };
    Ok(invoice.into_iter().chain(note).collect())
}

/// What stands of an invoice; nothing, while none of it is paid and it is not voided.
fn invoice(event: &Document) -> Result<Option<Fact>, EventError> {
    let place = format!("{INVOICE}/id");
    let id = require(&place, event.reference(&place)?)?;
    let currency = event.currency(&format!("{INVOICE}/currency_code"))?;
    let status = event.text(&format!("{INVOICE}/status"))?;
    let deleted = event.flag(&format!("{INVOICE}/deleted"))?.unwrap_or(false);
    let voided = deleted || status == Some("voided");
    let place = format!("{INVOICE}/amount_paid");
    let amount = if event.has(&place) { event.amount(&place)? } else { 0 };
    let state = if amount > 0 || status == Some("paid") {
        let payment = payment(event, amount)?;
        let line_items = format!("{INVOICE}/line_items");
        SourceState {
            out_of_band: elsewhere(event, &id)?,
            lines: lines(event, &line_items)?,
            lines_complete: (1..=LINES_MAX).contains(&event.count(&line_items)),
            labels: labels(event, &line_items),
            voided,
            ..SourceState::paid(currency, payment)
        }
    } else if voided {
        SourceState::void(Some(currency))
    } else {
        return Ok(None);
    };
    let payer = Payer { promotions: coupons(event), ..payer(event, INVOICE)? };
    let source = SourceId::invoice(processor(), id);
    Ok(Some(Fact { payments: ties(event)?, email: email(event), ..Fact::of(source, payer, state) }))
}

fn payment(event: &Document, amount: i64) -> Result<Payment, EventError> {
    let total = event.signed(&format!("{INVOICE}/total"))?.filter(|total| *total >= 0);
    let tax = event.signed(&format!("{INVOICE}/tax"))?;
    let without_tax = total.zip(tax).and_then(|(total, tax)| total.checked_sub(tax));
    let paid_at = match event.time(&format!("{INVOICE}/paid_at"))? {
        Some(at) => at,
        None => require("/occurred_at", event.time("/occurred_at")?)?,
    };
    let total_excluding_tax = without_tax.filter(|amount| (0..=AMOUNT_MAX).contains(amount));
    Ok(Payment { amount, total, total_excluding_tax, paid_at })
}

/// A payment through no gateway was made elsewhere and only written down at Chargebee.
fn elsewhere(event: &Document, invoice: &ProcessorRef) -> Result<BTreeMap<ProcessorRef, i64>, EventError> {
    let is = |field: &str, value: &str| -> Result<bool, EventError> {
        Ok(event.text(&format!("{TRANSACTION}/{field}"))? == Some(value))
    };
    if !is("type", "payment")? || !is("gateway", "not_applicable")? || !is("status", "success")? {
        return Ok(BTreeMap::new());
    }
    let place = format!("{TRANSACTION}/id");
    let id = require(&place, event.reference(&place)?)?;
    let mut amount = format!("{TRANSACTION}/amount");
    for linked in 0..event.length(&format!("{TRANSACTION}/linked_invoices"), PAYMENTS_MAX) {
        let linked = format!("{TRANSACTION}/linked_invoices/{linked}");
        if event.text(&format!("{linked}/invoice_id"))? == Some(invoice.as_str()) {
            amount = format!("{linked}/applied_amount");
        }
    }
    Ok(BTreeMap::from([(id, event.amount(&amount)?)]))
}

/// The first lines that fit: each without its discounts; tax that is part of the price stays in it.
fn lines(event: &Document, line_items: &str) -> Result<BTreeMap<ProcessorRef, Line>, EventError> {
    let mut lines = BTreeMap::new();
    for line in 0..event.length(line_items, LINES_MAX) {
        let line = format!("{line_items}/{line}");
        let place = format!("{line}/id");
        let id = require(&place, event.reference(&place)?)?;
        let place = format!("{line}/amount");
        let amount = require(&place, event.signed(&place)?)?;
        let discount = event.signed(&format!("{line}/discount_amount"))?.unwrap_or(0);
        let plan = event.short_text(&format!("{line}/entity_id"), LABEL_BYTES_MAX);
        // Both are bounded, so the difference is too.
        let amount = amount.saturating_sub(discount).clamp(-AMOUNT_MAX, AMOUNT_MAX);
        lines.insert(id, Line { amount, plan: plan.map(str::to_owned), product: None, proration: false });
    }
    Ok(lines)
}

fn labels(event: &Document, line_items: &str) -> Labels {
    let mut labels = Collected::new(event);
    for line in 0..event.length(line_items, LABELLED_LINES_MAX) {
        labels.put("plan", &format!("{line_items}/{line}/entity_id"));
    }
    labels.put("country", &format!("{INVOICE}/billing_address/country"));
    labels.put_metadata("/content/subscription/meta_data", EXTERNAL_ID_KEY);
    labels.labels()
}

/// The coupons that lowered the price, and the codes by which the payer asked for them.
fn coupons(event: &Document) -> BTreeSet<ProcessorRef> {
    let mut coupons = BTreeSet::new();
    for discount in 0..event.length(&format!("{INVOICE}/discounts"), DISCOUNTS_MAX) {
        let discount = format!("{INVOICE}/discounts/{discount}");
        let kind = event.short_text(&format!("{discount}/entity_type"), LABEL_BYTES_MAX);
        if kind.is_some_and(|kind| kind.ends_with("coupon")) {
            coupons.extend(event.short_reference(&format!("{discount}/entity_id")));
            coupons.extend(event.short_reference(&format!("{discount}/coupon_set_code")));
        }
    }
    coupons.into_iter().take(PROMOTIONS_MAX).collect()
}

/// The payments that went through.
fn ties(event: &Document) -> Result<Vec<Tie>, EventError> {
    let mut ties: Vec<Tie> = Vec::new();
    for linked in 0..event.length(&format!("{INVOICE}/linked_payments"), PAYMENTS_MAX) {
        let linked = format!("{INVOICE}/linked_payments/{linked}");
        if event.text(&format!("{linked}/txn_status"))? != Some("success") {
            continue;
        }
        let place = format!("{linked}/txn_id");
        let payment = SourceId::payment(processor(), require(&place, event.reference(&place)?)?);
        let amount = event.signed(&format!("{linked}/applied_amount"))?.filter(|amount| *amount >= 0);
        if !ties.iter().any(|tie| tie.payment == payment) {
            ties.push(Tie { payment, amount });
        }
    }
    Ok(ties)
}

/// What a refundable credit note takes back of the invoice that it refers to; an adjustment note takes back nothing that was
/// paid, and one without an invoice is a gift.
fn credit_note(event: &Document) -> Result<Option<Fact>, EventError> {
    if event.text(&format!("{NOTE}/type"))? != Some("refundable") {
        return Ok(None);
    }
    let Some(invoice) = event.reference(&format!("{NOTE}/reference_invoice_id"))? else { return Ok(None) };
    let place = format!("{NOTE}/id");
    let id = require(&place, event.reference(&place)?)?;
    let currency = event.currency(&format!("{NOTE}/currency_code"))?;
    let amount = event.amount(&format!("{NOTE}/total"))?;
    let deleted = event.flag(&format!("{NOTE}/deleted"))?.unwrap_or(false);
    let status = match event.text(&format!("{NOTE}/status"))? {
        _ if deleted => RefundStatus::Failed,
        Some("voided") => RefundStatus::Failed,
        Some("refunded" | "adjusted") => RefundStatus::Succeeded,
        // Still to be refunded, or a status that Chargebee adds later: it is taken to go back until it is voided.
        Some(_) | None => RefundStatus::Pending,
    };
    let state = SourceState::credit(currency, id, amount, status);
    let payer = payer(event, NOTE)?;
    Ok(Some(Fact::of(SourceId::invoice(processor(), invoice), payer, state)))
}
