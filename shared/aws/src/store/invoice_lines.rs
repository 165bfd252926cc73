//! The marks on ledger lines that name the partner invoices on which they stand.
//!
//! A line is marked in the transaction that adds it to its invoice, on the condition that it is not marked, or still names
//! the void invoice that was seen. So at any moment an invoice comes to exactly what is marked with it. Voiding is one write
//! of the invoice's status: what names a void invoice is not billed.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::billing::{Account, Items, Unbilled};
use domain::id::{BillingRunId, OrganizationId, ParticipantId, PartnerInvoiceId};
use domain::money::Currency;

use super::Store;
use super::billing::{BillingRunRow, next_run};
use super::error::{StoreError, Transaction};
use super::item::{Change, absent, from_item, number, text, text_of, to_item};
use super::keys;
use super::ledger::line;
use super::page::Range;
use super::partner_invoice::{PartRow, PartnerInvoiceRow};

/// Lines read at a time.
const PAGE: i32 = 500;
/// The attribute of a ledger line that names the invoice it stands on.
pub(crate) const BILLED_ON: &str = "billed_on";

/// What a run finds of a participant.
#[derive(Debug, Default)]
pub struct Open {
    /// Its cash, as far as it is not billed.
    pub account: Account,
    /// Invoices of the run, by currency.
    pub of_run: BTreeMap<Currency, PartnerInvoiceRow>,
    /// How many reads that took.
    pub reads: u32,
}

impl Store {
    /// What a run finds of a participant, by strong reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_open_lines(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        run: &BillingRunId,
    ) -> Result<Open, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let end = format!("{}~", keys::INVOICES);
        let (items, reads) = self.all_of(&pk, keys::INVOICES, &end, true).await?;
        let mut open = Open { reads, ..Open::default() };
        let mut void = Vec::new();
        for item in items {
            let row: PartnerInvoiceRow = from_item(item)?;
            if !row.status.is_live() {
                void.push(row.invoice.clone());
            }
            if row.run == *run {
                open.of_run.insert(row.currency, row);
            }
        }
        void.sort();
        let mut range = Range::new(&pk, keys::LEDGER, keys::LEDGER_END, PAGE);
        range.consistent = true;
        let mut from = None;
        loop {
            let (items, next) = self.query(&range, from).await?;
            open.reads = open.reads.saturating_add(1);
            for item in items.into_iter().filter(|item| !keys::is_snapshot(text_of(item, "sk"))) {
                let mark = match text_of(&item, BILLED_ON) {
                    "" => None,
                    invoice => Some(PartnerInvoiceId::parse(invoice).map_err(StoreError::corrupt)?),
                };
                // An invoice that was made since the first read is live.
                let live = |invoice| void.binary_search(invoice).is_err();
                open.account.add(&line(item)?, mark.as_ref().map(|invoice| (invoice, live(invoice))));
            }
            from = next;
            if from.is_none() {
                return Ok(open);
            }
        }
    }

    /// Puts lines onto an invoice: its row as it is afterwards, the lines, what they add to its line items, and the marks.
    /// With `run`, the invoice is complete, and the run counts it. `false` when anything changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_invoice_lines(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceRow,
        (lines, items): (&[Unbilled], &Items<'_>),
        run: Option<&BillingRunRow>,
    ) -> Result<bool, StoreError> {
        let mut actions = vec![self.invoice_action(organization, invoice)?];
        if !lines.is_empty() {
            let key = keys::invoice_part(organization, &invoice.invoice, invoice.parts);
            let part = PartRow { lines: lines.iter().map(|unbilled| unbilled.line.clone()).collect() };
            actions.push(self.put_action(to_item(&key, &part)?, &absent())?);
        }
        for unbilled in lines {
            actions.push(self.mark_action(organization, &invoice.invoice, unbilled)?);
        }
        for ((referee, terms_version), (amount, count)) in items {
            let key = keys::invoice_item(organization, &invoice.invoice, referee, *terms_version);
            let change = Change::new(
                "SET #referee = :referee, #terms = :terms ADD #amount :amount, #lines :count",
                "",
            )
            .name("#referee", "referee")
            .name("#terms", "terms_version")
            .name("#amount", "amount")
            .name("#lines", "lines")
            .value(":referee", text(referee.as_str()))
            .value(":terms", number(terms_version))
            .value(":amount", number(amount))
            .value(":count", number(count));
            actions.push(self.update_action(&key, &change)?);
        }
        if let Some(run) = run {
            let key = keys::run_invoice(organization, &run.run, &invoice.invoice);
            actions.push(self.put_action(to_item(&key, &invoice.listed())?, &absent())?);
            let (item, condition) = next_run(organization, run, self.clock.now())?;
            actions.push(self.put_action(item, &condition)?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    fn mark_action(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceId,
        unbilled: &Unbilled,
    ) -> Result<TransactWriteItem, StoreError> {
        let line = &unbilled.line;
        let key = match line.correction {
            None => keys::reward(organization, &line.reward),
            Some(number) => keys::entry(organization, &line.reward, number, line.recorded_at),
        };
        let set = format!("SET {BILLED_ON} = :invoice");
        let change = match &unbilled.was_on {
            None => Change::new(set, format!("attribute_exists(pk) AND attribute_not_exists({BILLED_ON})")),
            Some(void) => {
                Change::new(set, format!("{BILLED_ON} = :void")).value(":void", text(void.as_str()))
            }
        };
        self.update_action(&key, &change.value(":invoice", text(invoice.as_str())))
    }
}
