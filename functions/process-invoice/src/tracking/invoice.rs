//! Paid invoices.

use std::collections::{BTreeMap, BTreeSet};

use aws::http::{Caller, FieldError, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Customer, Email, Fact, PROMOTIONS_MAX, Payer, Tie};
use domain::id::{ExternalId, Processor, ProcessorRef, SourceId};
use domain::money::{AMOUNT_MAX, Currency};
use domain::source::{LABEL_BYTES_MAX, LABELS_MAX, LINES_MAX, Labels, Line, Payment, SourceState};
use serde::Deserialize;
use utoipa::ToSchema;

use super::labels::LabelsInput;
use super::{Report, answer, check_amount, moment, processor_or_own, record, wrong};
use crate::{Deps, SettledView};

/// Most payments of one invoice that can be told.
const PAYMENTS_MAX: usize = 20;

/// A paid invoice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvoicePaidRequest {
    /// The invoice's id at the processor: the same invoice told twice, by whatever path, earns once.
    #[schema(example = "in_123")]
    pub invoice_id: ProcessorRef,
    /// Who keeps the invoice; `own` unless told. Write `stripe` when Stripe's webhooks may tell of it too.
    #[schema(example = "stripe")]
    pub processor: Option<Processor>,
    /// Your own id of the payer.
    #[schema(example = "user_42")]
    pub external_id: Option<ExternalId>,
    /// The processor's id of the payer, when you do not give your own.
    #[schema(example = "cus_123")]
    pub customer_id: Option<ProcessorRef>,
    /// What was paid, in minor units: 0 to 1,000,000,000,000.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 20000)]
    pub amount_paid: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// The invoice's total with tax; needed with `total_excluding_tax` for rules that leave out the tax.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub total: Option<i64>,
    /// The invoice's total without tax.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub total_excluding_tax: Option<i64>,
    /// When it was paid; now unless told.
    pub paid_at: Option<DateTime<Utc>>,
    /// The payment (or charge) that paid it, so that refunds which name only that find the invoice.
    #[schema(example = "pi_123")]
    pub payment_id: Option<ProcessorRef>,
    /// All payments that paid it, where there are several, and what each paid of it: at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub payments: Vec<PaymentInput>,
    /// All of it was paid outside the processor (by cash, by transfer), which terms may leave out.
    #[serde(default)]
    pub out_of_band: bool,
    /// Its lines, for rules that pay for some of them: at most 100. Their plans and products need not be repeated as labels.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub lines: Vec<LineInput>,
    /// Whether those are all of its lines; `true` unless told. Once all are told, there are no more.
    pub lines_complete: Option<bool>,
    /// The payer's e-mail address, where terms let it tell who paid: it is hashed at once and never stored or logged.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Promotion codes that the payer used, where terms let them tell who referred: at most 10.
    #[serde(default)]
    #[schema(max_items = 10)]
    pub promotion_codes: Vec<ProcessorRef>,
    /// What it is about.
    #[serde(default)]
    pub labels: LabelsInput,
}

/// A payment of an invoice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentInput {
    /// The payment's (or charge's) id at the processor.
    #[schema(example = "pi_123")]
    pub payment_id: ProcessorRef,
    /// What it paid of this invoice, in minor units; tell it where it paid other invoices too, since a refund of it is shared
    /// among them by these figures.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub amount: Option<i64>,
}

/// A line of an invoice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineInput {
    /// The line's id.
    #[schema(example = "il_123")]
    pub line_id: ProcessorRef,
    /// Minor units after discounts and without tax that is added on top; below zero for a credit.
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64, example = 20000)]
    pub amount: i64,
    /// The plan or price: 1 to 100 characters.
    #[schema(example = "pro")]
    pub plan: Option<String>,
    /// The product: 1 to 100 characters.
    pub product: Option<String>,
    /// Whether it is for a part of a period, after a change of plan.
    #[serde(default)]
    pub proration: bool,
}

/// Report a paid invoice
///
/// Idempotent by processor and invoice. A payer who has not signed up yet: the invoice is parked, and decided again at
/// the sign-up.
#[utoipa::path(post, path = "/v1/track/invoice-paid", operation_id = "track_invoice_paid", tag = "tracking", request_body = InvoicePaidRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch, payer_mismatch, 422 too_many_details")))]
pub(crate) async fn track_invoice_paid(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<InvoicePaidRequest>,
) -> Result<Response, Problem> {
    record(&deps, &caller, request.value).await.map(answer)
}

impl Report for InvoicePaidRequest {
    fn fact(self, now: DateTime<Utc>) -> Result<Fact, Problem> {
        let mut errors = self.wrong_amounts();
        let paid_at = moment("/paid_at", self.paid_at, now, &mut errors);
        let email = self.email.as_deref().map(Email::parse);
        if email == Some(None) {
            errors.push(wrong("/email", "must be an e-mail address of at most 254 bytes"));
        }
        let email = email.flatten();
        let promotions = promotions(self.promotion_codes, &mut errors);
        let is_told = self.external_id.is_some() || self.customer_id.is_some() || email.is_some();
        if !is_told && promotions.is_empty() {
            let detail = "external_id, customer_id, email or promotion_codes must say who paid";
            errors.push(wrong("/external_id", detail));
        }
        let processor = processor_or_own(self.processor)?;
        let payments = ties(&processor, self.payment_id, self.payments, &mut errors);
        if self.lines.is_empty() && self.lines_complete.is_some() {
            errors.push(wrong("/lines_complete", "belongs to lines"));
        }
        let lines_complete = !self.lines.is_empty() && self.lines_complete.unwrap_or(true);
        let mut labels = self.labels.labels(&mut errors);
        let lines = lines(self.lines, &mut labels, &mut errors);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let reference = self.invoice_id.clone();
        let out_of_band = BTreeMap::from([(reference, self.amount_paid)]);
        let payment = Payment {
            amount: self.amount_paid,
            total: self.total,
            total_excluding_tax: self.total_excluding_tax,
            paid_at,
        };
        let customer = self.customer_id.map(|reference| Customer { processor: processor.clone(), reference });
        let state = SourceState {
            out_of_band: if self.out_of_band { out_of_band } else { BTreeMap::new() },
            lines,
            lines_complete,
            labels,
            ..SourceState::paid(self.currency, payment)
        };
        let payer = Payer { external_id: self.external_id, customer, promotions, ..Payer::default() };
        let source = SourceId::invoice(processor, self.invoice_id);
        Ok(Fact { payments, email, ..Fact::of(source, payer, state) })
    }
}

impl InvoicePaidRequest {
    fn wrong_amounts(&self) -> Vec<FieldError> {
        let amounts = [
            ("/amount_paid", Some(self.amount_paid)),
            ("/total", self.total),
            ("/total_excluding_tax", self.total_excluding_tax),
        ];
        amounts.into_iter().filter_map(|(pointer, amount)| check_amount(pointer, amount?)).collect()
    }
}

fn promotions(codes: Vec<ProcessorRef>, errors: &mut Vec<FieldError>) -> BTreeSet<ProcessorRef> {
    if codes.len() > PROMOTIONS_MAX {
        let detail = format!("must have at most {PROMOTIONS_MAX} codes");
        errors.push(wrong("/promotion_codes", detail));
    }
    codes.into_iter().collect()
}

/// The payments that paid the invoice, each once.
fn ties(
    processor: &Processor,
    single: Option<ProcessorRef>,
    several: Vec<PaymentInput>,
    errors: &mut Vec<FieldError>,
) -> Vec<Tie> {
    if several.len() > PAYMENTS_MAX {
        errors.push(wrong("/payments", format!("must have at most {PAYMENTS_MAX} payments")));
    }
    let mut amounts: BTreeMap<ProcessorRef, Option<i64>> = BTreeMap::new();
    for (index, payment) in several.into_iter().enumerate() {
        let pointer = format!("/payments/{index}");
        errors.extend(payment.amount.and_then(|amount| check_amount(&format!("{pointer}/amount"), amount)));
        if amounts.insert(payment.payment_id, payment.amount).is_some() {
            errors.push(wrong(format!("{pointer}/payment_id"), "stands there twice"));
        }
    }
    if let Some(single) = single {
        amounts.entry(single).or_insert(None);
    }
    let tie = |(id, amount)| Tie { payment: SourceId::payment(processor.clone(), id), amount };
    amounts.into_iter().map(tie).collect()
}

/// The lines by their ids; their plans and products become labels too.
fn lines(
    told: Vec<LineInput>,
    labels: &mut Labels,
    errors: &mut Vec<FieldError>,
) -> BTreeMap<ProcessorRef, Line> {
    if told.len() > LINES_MAX {
        errors.push(wrong("/lines", format!("must have at most {LINES_MAX} lines")));
    }
    let mut lines = BTreeMap::new();
    for (index, line) in told.into_iter().enumerate() {
        let pointer = format!("/lines/{index}");
        if !(-AMOUNT_MAX..=AMOUNT_MAX).contains(&line.amount) {
            let detail = format!("must be a whole number of minor units from -{AMOUNT_MAX} to {AMOUNT_MAX}");
            errors.push(wrong(format!("{pointer}/amount"), detail));
        }
        for (name, value) in [("plan", &line.plan), ("product", &line.product)] {
            let Some(value) = value else { continue };
            if (1..=LABEL_BYTES_MAX).contains(&value.len()) {
                labels.entry(name.to_owned()).or_default().insert(value.clone());
            } else {
                let detail = format!("must have 1 to {LABEL_BYTES_MAX} characters");
                errors.push(wrong(format!("{pointer}/{name}"), detail));
            }
        }
        let kept =
            Line { amount: line.amount, plan: line.plan, product: line.product, proration: line.proration };
        if lines.insert(line.line_id, kept).is_some() {
            errors.push(wrong(format!("{pointer}/line_id"), "stands there twice"));
        }
    }
    if !lines.is_empty() && labels.values().map(BTreeSet::len).sum::<usize>() > LABELS_MAX {
        let detail =
            format!("must name, with the labels, at most {LABELS_MAX} plans, products and other values");
        errors.push(wrong("/lines", detail));
    }
    lines
}

#[cfg(test)]
#[path = "invoice_tests.rs"]
mod tests;
