//! The day index and the daily reports folded from it.

use chrono::NaiveDate;
use domain::event::Event;
use domain::id::{OrganizationId, ParticipantId, ProgramId};
use domain::ledger::Reward;
use domain::referral::{Binding, Referral};
use domain::report::{DayLine, DayReport};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{Change, Item, from_item, key_of, text, text_of, to_item};
use super::keys;
use super::page::{Page, Range, after, read_cursor, write_cursor};

/// Most partitions of the day index that one page of a list looks into before it answers with what it has.
const PARTITIONS_PER_PAGE: usize = 64;
/// Names of a day index key.
const NAMES: &[&str] = &["pk", "sk", "day_sk"];

impl Store {
    /// Part of what one shard of a day holds, and where to go on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_day_lines(
        &self,
        organization: &OrganizationId,
        day: NaiveDate,
        shard: u32,
        after: Option<Item>,
    ) -> Result<(Vec<DayLine>, Option<Item>), StoreError> {
        let pk = keys::day_partition(organization, day, shard);
        let mut range = Range::new(&pk, "0", "~", 1_000);
        range.index = Some(keys::DAY_INDEX);
        let (items, next) = self.query(&range, after).await?;
        let lines = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok((lines, next))
    }

    /// Participants of a program with ledger lines in one shard of a day, some of them, each once; and where to go on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_day_participants(
        &self,
        organization: &OrganizationId,
        program: &ProgramId,
        (day, shard): (NaiveDate, u32),
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<ParticipantId>, StoreError> {
        let pk = keys::day_partition(organization, day, shard);
        let mut range = Range::new(&pk, "0", "~", limit);
        range.index = Some(keys::DAY_INDEX);
        let (items, next) = self.query(&range, after(cursor, NAMES, ("day_pk", &pk))).await?;
        let is_line = |item: &&Item| {
            ["reward", "entry"].contains(&text_of(item, "kind"))
                && text_of(item, "program") == program.as_str()
        };
        let parse = |item: &Item| keys::participant_of(&key_of(item)).map_err(StoreError::corrupt);
        let mut rows: Vec<ParticipantId> =
            items.iter().filter(is_line).map(parse).collect::<Result<_, _>>()?;
        rows.sort();
        rows.dedup();
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, NAMES)) })
    }

    /// Writes a day's report over an earlier one, and the event that tells of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_report(
        &self,
        organization: &OrganizationId,
        report: &DayReport,
        event: Option<&Event>,
    ) -> Result<(), StoreError> {
        let item = to_item(&keys::report(organization, report.day), report)?;
        let Some(event) = event else { return self.put_if(item, &Change::default()).await.map(|_| ()) };
        let actions = vec![self.put_action(item, &Change::default())?, self.event_action(event)?];
        match self.transact(actions).await? {
            Transaction::Committed => Ok(()),
            Transaction::Refused { .. } => Err(StoreError::Contended { attempts: 1 }),
        }
    }

    /// Reports of days that have been folded, oldest first; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_reports(
        &self,
        organization: &OrganizationId,
        from: NaiveDate,
        to: NaiveDate,
        limit: i32,
    ) -> Result<Vec<DayReport>, StoreError> {
        let (from, to) = (keys::report(organization, from), keys::report(organization, to));
        let range = Range::new(&from.pk, &from.sk, &to.sk, limit);
        let (items, _) = self.query(&range, None).await?;
        items.into_iter().map(from_item).collect()
    }

    /// Referrals bound in a range of days, newest day first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_referrals(
        &self,
        organization: &OrganizationId,
        days: (NaiveDate, NaiveDate),
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Referral>, StoreError> {
        let (items, next) = self.list_index(organization, days, "referral", cursor, limit).await?;
        Ok(Page { rows: self.get_referrals(&Self::places_of(&items, "referral")).await?, next })
    }

    /// The same with the referrals that each referee had before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_bindings(
        &self,
        organization: &OrganizationId,
        days: (NaiveDate, NaiveDate),
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Binding>, StoreError> {
        let (items, next) = self.list_index(organization, days, "referral", cursor, limit).await?;
        Ok(Page { rows: self.get_bindings(&Self::places_of(&items, "referral")).await?, next })
    }

    /// Rewards opened in a range of days, newest day first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_rewards(
        &self,
        organization: &OrganizationId,
        days: (NaiveDate, NaiveDate),
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Reward>, StoreError> {
        let (items, next) = self.list_index(organization, days, "reward", cursor, limit).await?;
        Ok(Page { rows: self.get_rewards(&Self::places_of(&items, "reward")).await?, next })
    }

    /// Walks the shards of the days, newest day first, until `limit` rows of a kind are found or enough partitions
    /// were looked into.
    async fn list_index(
        &self,
        organization: &OrganizationId,
        (from, to): (NaiveDate, NaiveDate),
        kind: &str,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<Item>, Option<String>), StoreError> {
        let wanted = usize::try_from(limit).unwrap_or(1);
        let (mut day, mut shard, mut after) = cursor.and_then(read_position).unwrap_or((to, 0, None));
        let mut found: Vec<Item> = Vec::new();
        for _ in 0..PARTITIONS_PER_PAGE {
            if day < from {
                return Ok((found, None));
            }
            let pk = keys::day_partition(organization, day, shard);
            let rest = i32::try_from(wanted.saturating_sub(found.len())).unwrap_or(1);
            let mut range = Range::new(&pk, "0", "~", rest);
            (range.index, range.newest_first) = (Some(keys::DAY_INDEX), true);
            let start = after.take().map(|mut key: Item| {
                key.insert("day_pk".to_owned(), text(&pk));
                key
            });
            let (items, next) = self.query(&range, start).await?;
            found.extend(items.into_iter().filter(|item| text_of(item, "kind") == kind));
            after = next;
            if after.is_none() {
                shard = shard.saturating_add(1);
                if shard == keys::DAY_SHARDS {
                    let Some(before) = day.pred_opt() else { return Ok((found, None)) };
                    (day, shard) = (before, 0);
                }
            }
            if found.len() >= wanted {
                break;
            }
        }
        let done = day < from;
        Ok((found, (!done).then(|| write_position(day, shard, after.as_ref()))))
    }
}

fn write_position(day: NaiveDate, shard: u32, after: Option<&Item>) -> String {
    let key = after.map(|key| write_cursor(key, NAMES)).unwrap_or_default();
    format!("{day}\t{shard}\t{key}")
}

fn read_position(cursor: &str) -> Option<(NaiveDate, u32, Option<Item>)> {
    let mut parts = cursor.splitn(3, '\t');
    let (day, shard, key) = (parts.next()?, parts.next()?, parts.next()?);
    let after = if key.is_empty() { None } else { Some(read_cursor(key, NAMES)?) };
    let shard = shard.parse().ok().filter(|shard| *shard < keys::DAY_SHARDS)?;
    Some((day.parse().ok()?, shard, after))
}
