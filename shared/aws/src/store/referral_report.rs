//! What the referral report is made of.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use domain::billing::{Period, day_after};
use domain::id::{ExternalId, OrganizationId, ParticipantId, RewardId, time_digits};
use domain::ledger::Line;
use domain::money::Money;
use domain::referral::{Binding, Referral};
use domain::referral_report::{SumsByRow, add};
use domain::terms::RewardKind;

use super::Store;
use super::error::StoreError;
use super::item::text_of;
use super::keys::{self, Key};
use super::ledger::line;
use super::page::{Page, Range};

/// Rewards read at a time.
const REWARDS_PAGE: usize = 100;
/// Lines read at a time.
const LINES_PAGE: i32 = 500;

impl Store {
    /// Referrals of one referrer as they were listed, newest first, each with what is known of its referee now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_bindings_of(
        &self,
        organization: &OrganizationId,
        referrer: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<(Referral, Binding)>, StoreError> {
        let page = self.list_referrals_of(organization, referrer, cursor, limit).await?;
        // A batch takes each key once, and somebody can have been referred twice by the same.
        let mut referees: Vec<&ExternalId> = page.rows.iter().map(|referral| &referral.referee).collect();
        referees.sort();
        referees.dedup();
        let places: Vec<Key> = referees.iter().map(|id| keys::referee(organization, id)).collect();
        let bindings = self.get_bindings(&places).await?;
        let of = |referral: &Referral| {
            let is_of = |binding: &&Binding| {
                binding.latest().is_some_and(|latest| latest.referee == referral.referee)
            };
            bindings.iter().find(is_of).cloned()
        };
        let rows = page.rows.into_iter().filter_map(|referral| {
            let binding = of(&referral)?;
            Some((referral, binding))
        });
        Ok(Page { rows: rows.collect(), next: page.next })
    }

    /// What one participant was billed in a range of days, and what its ledger's lines of them add up to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sums_of(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        days: Period,
    ) -> Result<SumsByRow, StoreError> {
        let mut sums = SumsByRow::new();
        let ends = (day_after(days.from), days.ends_at());
        let invoices = self.partner_invoices_between(organization, participant, ends).await?;
        for invoice in invoices.into_iter().filter(|invoice| invoice.status.is_live()) {
            for item in self.all_invoice_items(organization, &invoice.invoice).await? {
                let row = sums.entry((item.referee, item.terms_version)).or_default();
                let amount = Money::new(item.amount, invoice.currency);
                add(&mut row.billed, amount).map_err(StoreError::corrupt)?;
            }
        }
        self.add_lines_of_days(organization, participant, days, &mut sums).await?;
        Ok(sums)
    }

    /// Adds the ledger's lines of some days, a page at a time: of each line only the sum stays in memory, and of each reward
    /// whose row of the report it is.
    async fn add_lines_of_days(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        days: Period,
        sums: &mut SumsByRow,
    ) -> Result<(), StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let place = |at| format!("{}{}", keys::LEDGER, time_digits(at));
        let (from, to) = (place(days.from.and_time(NaiveTime::MIN).and_utc()), place(days.ends_at()));
        let range = Range::new(&pk, &from, &to, LINES_PAGE);
        let mut rows: BTreeMap<RewardId, (ExternalId, u32)> = BTreeMap::new();
        // Corrections of rewards that were opened before the days.
        let mut earlier: BTreeMap<RewardId, Vec<Money>> = BTreeMap::new();
        let mut next = None;
        loop {
            let (items, more) = self.query(&range, next).await?;
            for item in items.into_iter().filter(|item| !keys::is_snapshot(text_of(item, "sk"))) {
                match line(item)? {
                    Line::Reward(reward) => {
                        let row = (reward.referee, reward.terms_version);
                        add_earned(sums, &row, Money::new(reward.delta, reward.unit))?;
                        rows.insert(reward.reward, row);
                    }
                    Line::Entry(entry) => {
                        let amount = Money::new(entry.delta, entry.unit);
                        match rows.get(&entry.reward) {
                            Some(row) => add_earned(sums, row, amount)?,
                            None => earlier.entry(entry.reward).or_default().push(amount),
                        }
                    }
                    Line::Redemption(_) => {}
                }
            }
            next = more;
            if next.is_none() {
                break;
            }
        }
        let places: Vec<Key> = earlier.keys().map(|reward| keys::reward(organization, reward)).collect();
        for places in places.chunks(REWARDS_PAGE) {
            for reward in self.get_rewards(places).await? {
                let row = (reward.referee, reward.terms_version);
                for amount in earlier.remove(&reward.reward).unwrap_or_default() {
                    add_earned(sums, &row, amount)?;
                }
            }
        }
        match earlier.keys().next() {
            Some(reward) => Err(StoreError::corrupt(format!("there is no {reward}"))),
            None => Ok(()),
        }
    }
}

/// What has no value is in no sum.
fn add_earned(sums: &mut SumsByRow, row: &(ExternalId, u32), amount: Money) -> Result<(), StoreError> {
    if RewardKind::is_action_unit(amount.unit) {
        return Ok(());
    }
    let row = sums.entry(row.clone()).or_default();
    add(&mut row.earned, amount).map_err(StoreError::corrupt)
}
