//! A participant's ledger and balances.
//!
//! The balance is the latest snapshot plus the lines since: one query, newest first, that stops at the snapshot. A
//! snapshot is a row among the lines, at the moment it speaks for. It is written by a reader who found many lines, only
//! over lines that are settled for good and older than any write that may still be on its way; so whoever writes the
//! one for a moment writes the same.

use chrono::{DateTime, Duration, Utc};
use domain::id::{OrganizationId, ParticipantId, time_digits};
use domain::ledger::{Balances, Line, Redemption, Reward, add_line, left_of};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Item, from_item, text_of, to_item};
use super::keys;
use super::page::{Page, Range, after, write_cursor};

/// Lines that are read to find the latest reward: most of them are rewards.
const LATEST_LINES: i32 = 20;
/// Lines read at a time.
const PAGE: i32 = 100;
/// Lines of the first page: about 600 bytes each, so that the common read stays below 8 KB, one read unit.
const FIRST_PAGE: i32 = 13;
/// Settled lines since the last snapshot that make a reader write the next. With it, and with a few lines that have
/// not settled, the first page is not yet full.
const LINES_UNTIL_SNAPSHOT: usize = 10;
/// Age below which a line may still be followed by one that sorts before it: far above any function's timeout.
const SETTLING_MINUTES: i64 = 15;
/// How often it is looked again whether anything has come into a balance meanwhile.
const READS_MAX: u32 = 8;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotRow {
    pub(crate) balances: Balances,
}

impl Store {
    /// Lines of a participant's ledger, newest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_lines(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Line>, StoreError> {
        self.list_lines_as(organization, participant, cursor, limit, false).await
    }

    /// The same by a strong read, for whoever acts on it.
    pub(crate) async fn list_lines_now(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Line>, StoreError> {
        self.list_lines_as(organization, participant, cursor, limit, true).await
    }

    async fn list_lines_as(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
        consistent: bool,
    ) -> Result<Page<Line>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let mut range = Range::new(&pk, keys::LEDGER, keys::LEDGER_END, limit);
        (range.newest_first, range.consistent) = (true, consistent);
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let lines = items.into_iter().filter(|item| !keys::is_snapshot(text_of(item, "sk")));
        let rows = lines.map(line).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// What a participant has, by unit. An eventual read: it may lag by the blink of an eye.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_balances(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<Balances, StoreError> {
        let (mut balances, lines) = self.lines_since_snapshot(organization, participant, false).await?;
        add_all(&mut balances, &lines)?;
        // Lines that may still change cannot be in a snapshot: without enough others there is nothing to look for.
        if settled_prefix(lines, self.clock.now()).len() >= LINES_UNTIL_SNAPSHOT {
            self.write_snapshot(organization, participant).await?;
        }
        Ok(balances)
    }

    /// What a participant has, by unit, by a strong read.
    pub(crate) async fn fold_balances(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<Balances, StoreError> {
        let (mut balances, lines) = self.lines_since_snapshot(organization, participant, true).await?;
        add_all(&mut balances, &lines)?;
        Ok(balances)
    }

    /// When a participant has last earned a reward, as far as its latest lines say.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_reward_at(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let mut range = Range::new(&pk, keys::LEDGER, keys::LEDGER_END, LATEST_LINES);
        range.newest_first = true;
        let (items, _) = self.query(&range, None).await?;
        let opened = items.iter().find(|item| text_of(item, "kind") == "reward");
        Ok(opened.and_then(|item| keys::moment_in(text_of(item, "sk").strip_prefix(keys::LEDGER)?)))
    }

    /// What is left in the balance of a reward that was delivered into it: what came first is spent first, and what was
    /// returned has come when it was. By strong reads, of one moment: what can be spent is the same before and after it is
    /// looked at what came later.
    pub(crate) async fn left_of(
        &self,
        organization: &OrganizationId,
        reward: &Reward,
    ) -> Result<i64, StoreError> {
        let mut available = self.available_of(organization, reward).await?;
        for _ in 0..READS_MAX {
            let later = self.came_after(organization, reward).await?;
            let still = self.available_of(organization, reward).await?;
            if still == available {
                return Ok(left_of(available, later, reward.in_balance(reward.unit)));
            }
            available = still;
        }
        Err(StoreError::Contended { attempts: READS_MAX })
    }

    /// What can be spent of the unit of a reward.
    async fn available_of(&self, organization: &OrganizationId, reward: &Reward) -> Result<i64, StoreError> {
        let balances = self.fold_balances(organization, &reward.participant).await?;
        Ok(balances.get(&reward.unit).map_or(0, |figures| figures.available))
    }

    /// What came into the balance after a reward.
    async fn came_after(&self, organization: &OrganizationId, reward: &Reward) -> Result<i64, StoreError> {
        let pk = keys::participant_partition(organization, &reward.participant);
        let from = keys::reward(organization, &reward.reward).sk;
        let mut range = Range::new(&pk, &from, keys::LEDGER_END, PAGE);
        range.consistent = true;
        let (mut sum, mut after) = (0_i64, None);
        loop {
            let (items, next) = self.query(&range, after).await?;
            for item in items {
                let came = match text_of(&item, "kind") {
                    "reward" => {
                        let other: Reward = from_item(item)?;
                        if other.reward == reward.reward { 0 } else { other.in_balance(reward.unit) }
                    }
                    "redemption" => from_item::<Redemption>(item)?.returned(reward.unit),
                    _ => 0,
                };
                sum = sum.saturating_add(came);
            }
            after = next;
            if after.is_none() {
                return Ok(sum);
            }
        }
    }

    /// The latest snapshot's balances, and every line since, newest first.
    async fn lines_since_snapshot(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        consistent: bool,
    ) -> Result<(Balances, Vec<Line>), StoreError> {
        let pk = keys::participant_partition(organization, participant);
        // The common case ends within one snapshot's distance; a longer one goes on in larger pages.
        let mut range = Range::new(&pk, keys::LEDGER, keys::LEDGER_END, FIRST_PAGE);
        (range.newest_first, range.consistent) = (true, consistent);
        let (mut lines, mut after) = (Vec::new(), None);
        loop {
            let (items, next) = self.query(&range, after).await?;
            for item in items {
                if keys::is_snapshot(text_of(&item, "sk")) {
                    return Ok((from_item::<SnapshotRow>(item)?.balances, lines));
                }
                lines.push(line(item)?);
            }
            range.limit = PAGE;
            after = next;
            if after.is_none() {
                return Ok((Balances::new(), lines));
            }
        }
    }

    /// Writes the snapshot of the longest settled prefix, if it is longer than the last one's.
    async fn write_snapshot(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<(), StoreError> {
        let (mut balances, lines) = self.lines_since_snapshot(organization, participant, true).await?;
        let settled = settled_prefix(lines, self.clock.now());
        let Some(last) = settled.last() else { return Ok(()) };
        let place = keys::snapshot(organization, participant, &time_digits(last.recorded_at()));
        add_all(&mut balances, &settled)?;
        let item = to_item(&place, &SnapshotRow { balances })?;
        // Refused when another reader was quicker; it wrote the same.
        self.put_new(item).await.map(|_| ())
    }
}

/// The oldest lines up to the first that is not settled, or too young; oldest first. A moment is taken whole or not at
/// all, since a snapshot stands after every line of its moment.
fn settled_prefix(newest_first: Vec<Line>, now: DateTime<Utc>) -> Vec<Line> {
    let horizon = now - Duration::minutes(SETTLING_MINUTES);
    let mut oldest_first = newest_first;
    oldest_first.reverse();
    let open = oldest_first.iter().find(|line| !line.is_settled() || line.recorded_at() > horizon);
    let end = open.map(Line::recorded_at);
    oldest_first.into_iter().take_while(|line| end.is_none_or(|end| line.recorded_at() < end)).collect()
}

fn add_all(balances: &mut Balances, lines: &[Line]) -> Result<(), StoreError> {
    lines.iter().try_for_each(|line| add_line(balances, line)).map_err(StoreError::corrupt)
}

pub(crate) fn line(item: Item) -> Result<Line, StoreError> {
    match text_of(&item, "kind") {
        "reward" => Ok(Line::Reward(Box::new(from_item(item)?))),
        "entry" => Ok(Line::Entry(Box::new(from_item(item)?))),
        "redemption" => Ok(Line::Redemption(Box::new(from_item(item)?))),
        other => Err(StoreError::corrupt(format!("a ledger line of kind {other:?}"))),
    }
}
