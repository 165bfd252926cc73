//! What the referral report is made of.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use domain::billing::{Period, day_after};
use domain::id::{ExternalId, OrganizationId, ParticipantId, RewardId, time_digits};
use domain::ledger::{Line, Reward};
use domain::money::Money;
use domain::referral::{Binding, Referral};
use domain::referral_report::{SumsByRow, add};
use domain::terms::RewardKind;

use super::Store;
use super::error::StoreError;
use super::item::text_of;
use super::keys::{self, Key};
use super::ledger::line;
use super::page::Page;

/// Rewards read at a time.
const REWARDS_PAGE: usize = 100;

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
        for (reward, amount) in self.lines_of_days(organization, participant, days).await? {
            let row = sums.entry((reward.referee, reward.terms_version)).or_default();
            add(&mut row.earned, amount).map_err(StoreError::corrupt)?;
        }
        Ok(sums)
    }

    /// What each line of a range of days adds, with the reward that it opens or corrects.
    async fn lines_of_days(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        days: Period,
    ) -> Result<Vec<(Reward, Money)>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let place = |at| format!("{}{}", keys::LEDGER, time_digits(at));
        let from = place(days.from.and_time(NaiveTime::MIN).and_utc());
        let (items, _) = self.all_of(&pk, &from, &place(days.ends_at()), false).await?;
        let mut rewards: BTreeMap<RewardId, Reward> = BTreeMap::new();
        let mut lines: Vec<(RewardId, Money)> = Vec::new();
        for item in items.into_iter().filter(|item| !keys::is_snapshot(text_of(item, "sk"))) {
            match line(item)? {
                Line::Reward(reward) => {
                    lines.push((reward.reward.clone(), Money::new(reward.delta, reward.unit)));
                    rewards.insert(reward.reward.clone(), *reward);
                }
                Line::Entry(entry) => lines.push((entry.reward, Money::new(entry.delta, entry.unit))),
            }
        }
        // What has no value is in no sum.
        lines.retain(|(_, amount)| !RewardKind::is_action_unit(amount.unit));
        let mut earlier: Vec<&RewardId> =
            lines.iter().map(|(reward, _)| reward).filter(|reward| !rewards.contains_key(*reward)).collect();
        earlier.sort();
        earlier.dedup();
        let places: Vec<Key> = earlier.into_iter().map(|reward| keys::reward(organization, reward)).collect();
        for places in places.chunks(REWARDS_PAGE) {
            let found = self.get_rewards(places).await?;
            rewards.extend(found.into_iter().map(|reward| (reward.reward.clone(), reward)));
        }
        let with_reward = |(reward, amount): (RewardId, Money)| {
            let found = rewards.get(&reward).cloned();
            found
                .map(|found| (found, amount))
                .ok_or_else(|| StoreError::corrupt(format!("there is no {reward}")))
        };
        lines.into_iter().map(with_reward).collect()
    }
}
