//! Keys of billing runs, partner invoices and payout batches.

use chrono::{DateTime, Utc};
use domain::id::{
    BillingRunId, ExternalId, OrganizationId, ParticipantId, PartnerInvoiceId, PayoutBatchId, ProgramId,
    time_digits,
};
use domain::money::Currency;

use super::{Key, participant_partition};

/// Sort key prefix of partner invoices within a participant's partition, and of invoices within a run's.
pub(crate) const INVOICES: &str = "INVOICE#";
/// Sort keys of all rows of partner invoices lie between these.
pub(crate) const INVOICE_ROWS: &str = "INVOICE";
pub(crate) const INVOICE_ROWS_END: &str = "INVOICE~";

/// Which of a participant's invoices a row is of: its place.
pub(crate) fn invoice_place(sk: &str) -> Option<&str> {
    let (_, rest) = sk.split_once('#')?;
    let (time, tail) = rest.split_once('#')?;
    let tail = tail.split('#').next()?;
    rest.get(..time.len().saturating_add(tail.len()).saturating_add(1))
}

/// Sort key prefix of the line items of partner invoices.
pub(crate) const INVOICE_ITEMS: &str = "INVOICE-ITEM#";

pub(crate) fn partner_invoice(organization: &OrganizationId, id: &PartnerInvoiceId) -> Key {
    let (time, tail) = id.place();
    Key::new(participant_partition(organization, &id.participant()), format!("{INVOICES}{time}#{tail}"))
}

/// What the sort keys of an invoice's line items begin with.
pub(crate) fn invoice_items(id: &PartnerInvoiceId) -> String {
    let (time, tail) = id.place();
    format!("{INVOICE_ITEMS}{time}#{tail}#")
}

/// A line item of an invoice: one referred partner, one version of the terms.
pub(crate) fn invoice_item(
    organization: &OrganizationId,
    id: &PartnerInvoiceId,
    referee: &ExternalId,
    terms_version: u32,
) -> Key {
    let sk = format!("{}{referee}#{terms_version:06}", invoice_items(id));
    Key::new(participant_partition(organization, &id.participant()), sk)
}

/// Some of an invoice's lines.
pub(crate) fn invoice_part(organization: &OrganizationId, id: &PartnerInvoiceId, number: u32) -> Key {
    let (time, tail) = id.place();
    let sk = format!("INVOICE-PART#{time}#{tail}#{number:06}");
    Key::new(participant_partition(organization, &id.participant()), sk)
}

/// What a run, its invoices and whom it is done with share.
pub(crate) fn run_partition(organization: &OrganizationId, run: &BillingRunId) -> String {
    format!("{organization}#{run}")
}

pub(crate) fn run(organization: &OrganizationId, run: &BillingRunId) -> Key {
    Key::new(run_partition(organization, run), RUN)
}

pub(crate) const RUN: &str = "RUN";

pub(crate) fn run_invoice(
    organization: &OrganizationId,
    run: &BillingRunId,
    invoice: &PartnerInvoiceId,
) -> Key {
    Key::new(run_partition(organization, run), format!("{INVOICES}{invoice}"))
}

/// A participant that a run is done with.
pub(crate) fn run_seen(organization: &OrganizationId, run: &BillingRunId, id: &ParticipantId) -> Key {
    Key::new(run_partition(organization, run), format!("SEEN#{id}"))
}

/// The partition that lists an organization's runs.
pub(crate) fn runs_partition(organization: &OrganizationId) -> String {
    format!("{organization}#RUNS")
}

pub(crate) fn run_listing(organization: &OrganizationId, run: &BillingRunId, at: DateTime<Utc>) -> Key {
    Key::new(runs_partition(organization), format!("{}#{run}", time_digits(at)))
}

/// Shards of a program's invoices that can be paid out in a currency: 4 x 1,000 index writes a second.
pub const PAYABLE_SHARDS: u32 = 4;

/// The listing index's key of a finalized partner invoice that stands in no payout batch. All of a participant's are in one
/// shard.
pub(crate) fn payable(
    organization: &OrganizationId,
    program: &ProgramId,
    currency: Currency,
    id: &PartnerInvoiceId,
) -> Key {
    let participant = id.participant();
    let (time, tail) = id.place();
    let sk = format!("{}{time}#{tail}", payable_of(&participant));
    Key::new(payable_shard(organization, program, currency, &participant), sk)
}

/// The partition of a participant's invoices that can be paid out.
pub(crate) fn payable_shard(
    organization: &OrganizationId,
    program: &ProgramId,
    currency: Currency,
    participant: &ParticipantId,
) -> String {
    let shard = Key::new(participant_partition(organization, participant), "").shard(PAYABLE_SHARDS);
    payable_partition(organization, program, currency, shard)
}

pub(crate) fn payable_partition(
    organization: &OrganizationId,
    program: &ProgramId,
    currency: Currency,
    shard: u32,
) -> String {
    format!("{organization}#{program}#PAYABLE#{currency}#{shard}")
}

/// What the listing index's sort keys of a participant's invoices begin with.
pub(crate) fn payable_of(participant: &ParticipantId) -> String {
    format!("{participant}#")
}

/// Whose a row of the listing index's payable invoices is.
pub(crate) fn parse_payable(listing_sk: &str) -> Option<ParticipantId> {
    ParticipantId::parse(listing_sk.split_once('#')?.0).ok()
}

/// What a payout batch and its lines share.
pub(crate) fn payout_partition(organization: &OrganizationId, batch: &PayoutBatchId) -> String {
    format!("{organization}#{batch}")
}

pub(crate) fn payout_batch(organization: &OrganizationId, batch: &PayoutBatchId) -> Key {
    Key::new(payout_partition(organization, batch), BATCH)
}

pub(crate) const BATCH: &str = "BATCH";

pub(crate) fn payout_line(organization: &OrganizationId, batch: &PayoutBatchId, id: &ParticipantId) -> Key {
    Key::new(payout_partition(organization, batch), format!("{PAYOUT_LINES}{id}"))
}

/// Sort key prefix of lines within a payout batch's partition.
pub(crate) const PAYOUT_LINES: &str = "LINE#";

/// The partition that lists an organization's payout batches.
pub(crate) fn payouts_partition(organization: &OrganizationId) -> String {
    format!("{organization}#PAYOUTS")
}

pub(crate) fn payout_listing(organization: &OrganizationId, batch: &PayoutBatchId, at: DateTime<Utc>) -> Key {
    Key::new(payouts_partition(organization), format!("{}#{batch}", time_digits(at)))
}

/// The payout batch of a program and currency that is at work.
pub(crate) fn payout_at_work(organization: &OrganizationId, program: &ProgramId, currency: Currency) -> Key {
    Key::new(format!("{organization}#{program}"), format!("PAYOUT#{currency}"))
}

/// How far a program is billed.
pub(crate) fn billing(organization: &OrganizationId, program: &ProgramId) -> Key {
    Key::new(format!("{organization}#{program}"), "BILLING")
}

/// The partition of a program's participants with something left to bill.
pub(crate) fn carry_partition(organization: &OrganizationId, program: &ProgramId) -> String {
    format!("{organization}#{program}#CARRY")
}

pub(crate) fn carry(organization: &OrganizationId, program: &ProgramId, id: &ParticipantId) -> Key {
    Key::new(carry_partition(organization, program), id.as_str())
}
