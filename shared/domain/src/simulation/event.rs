//! Example events, as a program owner writes them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{Channel, EventName, ExternalId, Processor, ProcessorRef, SourceId};
use crate::money::{AMOUNT_MAX, Currency, MoneyError};
use crate::source::{
    Dispute, DisputeStatus, LABEL_BYTES_MAX, Labels, Line, Payment, PayoutFigures, Refund, RefundStatus,
    SourceState,
};

use super::SimulationError;

/// The processor of simulated invoices and payouts.
const PROCESSOR: &str = "example";

/// An example event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExampleEvent {
    /// Somebody signs up.
    Signup(ExampleSignup),
    /// An invoice is paid.
    InvoicePaid(ExampleInvoice),
    /// An invoice is refunded.
    Refund(ExampleRefund),
    /// Something else happens that can earn.
    Event(ExampleOther),
    /// A payout record is made.
    Payout(ExamplePayout),
    /// A payment is disputed.
    Dispute(ExampleDispute),
    /// An invoice is voided.
    Void(ExampleVoid),
}

/// A sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleSignup {
    /// Who signs up.
    pub referee: ExternalId,
    /// Whose code is entered, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<ExternalId>,
    /// Visits through links before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<ExampleTouch>,
    /// The form or app; `sign-up` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Whether the referee was a customer before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub existing_customer: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// A visit through somebody's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleTouch {
    /// Whose link.
    pub referrer: ExternalId,
    /// When.
    pub at: DateTime<Utc>,
}

/// A paid invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleInvoice {
    /// Who pays.
    pub referee: ExternalId,
    /// The invoice.
    pub invoice: ProcessorRef,
    /// Paid so far, in minor units.
    #[schema(example = 20_000)]
    pub amount_paid: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// The total with tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// The total without tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_excluding_tax: Option<i64>,
    /// Whether all of it was paid outside the processor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_band: bool,
    /// All of its lines, for rules that are about single lines; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// When.
    pub at: DateTime<Utc>,
    /// The plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A refund of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleRefund {
    /// The invoice.
    pub invoice: ProcessorRef,
    /// The refund.
    pub refund: ProcessorRef,
    /// Minor units.
    pub amount: i64,
    /// How far it has come; succeeded unless told.
    #[serde(default = "succeeded")]
    pub status: RefundStatus,
    /// When.
    pub at: DateTime<Utc>,
}

const fn succeeded() -> RefundStatus {
    RefundStatus::Succeeded
}

/// A qualifying event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleOther {
    /// Its name: `approved`, `plan_started`, `booking_completed` or one of your own.
    #[schema(value_type = String, example = "booking_completed")]
    pub name: EventName,
    /// Of whom.
    pub referee: ExternalId,
    /// Your own id of it.
    pub id: ProcessorRef,
    /// Minor units, if it has an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// ISO 4217 code of the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "USD")]
    pub currency: Option<Currency>,
    /// When.
    pub at: DateTime<Utc>,
    /// The plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A payout record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExamplePayout {
    /// Whose.
    pub referee: ExternalId,
    /// Your own id of it.
    pub id: ProcessorRef,
    /// Which version of the record this is; the highest counts.
    #[serde(default)]
    pub revision: u32,
    /// What the partner was paid, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<i64>,
    /// What was made of the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profit: Option<i64>,
    /// What the partner turned over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue: Option<i64>,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// When.
    pub at: DateTime<Utc>,
}

/// A dispute of an invoice's payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleDispute {
    /// The invoice.
    pub invoice: ProcessorRef,
    /// The dispute.
    pub dispute: ProcessorRef,
    /// Minor units.
    pub amount: i64,
    /// How it stands.
    pub status: DisputeStatus,
    /// When.
    pub at: DateTime<Utc>,
}

/// An invoice that is voided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleVoid {
    /// The invoice.
    pub invoice: ProcessorRef,
    /// When.
    pub at: DateTime<Utc>,
}

/// What an example says about one source.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) source: SourceId,
    pub(super) payer: Option<ExternalId>,
    pub(super) state: SourceState,
}

impl ExampleEvent {
    /// When it happens.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Signup(event) => event.at,
            Self::InvoicePaid(event) => event.at,
            Self::Refund(event) => event.at,
            Self::Event(event) => event.at,
            Self::Payout(event) => event.at,
            Self::Dispute(event) => event.at,
            Self::Void(event) => event.at,
        }
    }
}

impl ExampleSignup {
    /// The sign-up as a source of its own.
    pub(super) fn told(&self) -> Told {
        Told {
            source: SourceId::signup(&self.referee),
            payer: Some(self.referee.clone()),
            state: SourceState::happened(self.at, None),
        }
    }
}

impl ExampleInvoice {
    pub(super) fn told(&self) -> Result<Told, SimulationError> {
        let payment = Payment {
            amount: checked(self.amount_paid)?,
            total: self.total.map(checked).transpose()?,
            total_excluding_tax: self.total_excluding_tax.map(checked).transpose()?,
            paid_at: self.at,
        };
        let labels = labels(
            [("plan", &self.plan), ("product", &self.product), ("country", &self.country)],
            &self.metadata,
        )?;
        let outside = self.out_of_band.then(|| (self.invoice.clone(), payment.amount));
        let mut lines = BTreeMap::new();
        for (number, line) in self.lines.iter().enumerate() {
            figure(line.amount)?;
            lines.insert(ProcessorRef::parse(&number.to_string())?, line.clone());
        }
        let state = SourceState {
            labels,
            out_of_band: outside.into_iter().collect(),
            lines_complete: !lines.is_empty(),
            lines,
            ..SourceState::paid(self.currency, payment)
        };
        Ok(Told { source: invoice(&self.invoice)?, payer: Some(self.referee.clone()), state })
    }
}

impl ExampleRefund {
    pub(super) fn told(&self) -> Result<Told, SimulationError> {
        let refund = Refund { amount: checked(self.amount)?, status: self.status, charge: None };
        let refunds = BTreeMap::from([(self.refund.clone(), refund)]);
        let state = SourceState { refunds, ..SourceState::default() };
        Ok(Told { source: invoice(&self.invoice)?, payer: None, state })
    }
}

impl ExampleOther {
    pub(super) fn told(&self) -> Result<Told, SimulationError> {
        let amount = match (self.amount, self.currency) {
            (Some(amount), Some(currency)) => Some((checked(amount)?, currency)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(SimulationError::AmountAndCurrency),
        };
        let labels = labels(
            [("plan", &self.plan), ("product", &self.product), ("country", &self.country)],
            &self.metadata,
        )?;
        let state = SourceState { labels, ..SourceState::happened(self.at, amount) };
        let source = SourceId::event(&self.name, self.id.clone());
        Ok(Told { source, payer: Some(self.referee.clone()), state })
    }
}

impl ExamplePayout {
    pub(super) fn told(&self) -> Result<Told, SimulationError> {
        let figures = PayoutFigures {
            revision: self.revision,
            payout: self.payout.map(figure).transpose()?,
            profit: self.profit.map(figure).transpose()?,
            revenue: self.revenue.map(figure).transpose()?,
        };
        let state =
            SourceState { payout: Some(figures), ..SourceState::happened(self.at, Some((0, self.currency))) };
        let source = SourceId::payout(processor()?, self.id.clone());
        Ok(Told { source, payer: Some(self.referee.clone()), state })
    }
}

impl ExampleDispute {
    pub(super) fn told(&self) -> Result<Told, SimulationError> {
        let dispute = Dispute { amount: checked(self.amount)?, status: self.status, charge: None };
        let disputes = BTreeMap::from([(self.dispute.clone(), dispute)]);
        let state = SourceState { disputes, ..SourceState::default() };
        Ok(Told { source: invoice(&self.invoice)?, payer: None, state })
    }
}

impl ExampleVoid {
    pub(super) fn told(&self) -> Result<Told, SimulationError> {
        let state = SourceState { voided: true, ..SourceState::default() };
        Ok(Told { source: invoice(&self.invoice)?, payer: None, state })
    }
}

fn processor() -> Result<Processor, SimulationError> {
    Ok(Processor::parse(PROCESSOR)?)
}

fn invoice(reference: &ProcessorRef) -> Result<SourceId, SimulationError> {
    Ok(SourceId::invoice(processor()?, reference.clone()))
}

fn checked(amount: i64) -> Result<i64, SimulationError> {
    if (0..=AMOUNT_MAX).contains(&amount) { Ok(amount) } else { Err(MoneyError::OutOfRange.into()) }
}

/// A figure of a payout record, which may be a loss.
fn figure(amount: i64) -> Result<i64, SimulationError> {
    if (-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount) { Ok(amount) } else { Err(MoneyError::OutOfRange.into()) }
}

fn labels(
    given: [(&str, &Option<String>); 3],
    metadata: &BTreeMap<String, String>,
) -> Result<Labels, SimulationError> {
    let named = given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
    let free = metadata.iter().map(|(key, value)| (format!("metadata.{key}"), value.clone()));
    let labels: Vec<(String, String)> = named.chain(free).collect();
    let fits = |text: &str| (1..=LABEL_BYTES_MAX).contains(&text.len());
    let all_fit =
        labels.iter().all(|(key, value)| fits(value) && fits(key.strip_prefix("metadata.").unwrap_or(key)));
    if all_fit {
        Ok(labels.into_iter().map(|(key, value)| (key, BTreeSet::from([value]))).collect())
    } else {
        Err(SimulationError::Label)
    }
}
