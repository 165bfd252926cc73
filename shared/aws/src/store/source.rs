//! Sources: the joined state, what was decided of it and what was posted; the row that every money transaction turns on.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use chrono::{DateTime, Utc};
use domain::event::Event;
use domain::fact::{Customer, Payer};
use domain::id::{ExternalId, Label, OrganizationId, ParticipantId, ProgramId, SourceId};
use domain::ledger::{Entry, Note, Posted, Posting, Reward, RewardState};
use domain::money::Money;
use domain::rate::{ExchangeRate, RateKey};
use domain::reason::Reason;
use domain::source::SourceState;
use domain::tally::{Memory, RefereeTally};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{
    Change, Item, Write, absent, at_version, from_item, index_in, number, set_all, text, to_attribute,
    to_item,
};
use super::keys;
use super::parked::{Parked, list_in};
use super::redemption::Spending;
use super::referee::RefereeRow;
use super::tally::TallyRow;

/// What a source waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// The payer's sign-up.
    Referee(ExternalId),
    /// The referee behind a processor's customer.
    Customer(Customer),
    /// The exchange rate of its day.
    Rate(RateKey),
}

/// A reward given by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// To whom.
    pub participant: ParticipantId,
    /// How much.
    pub amount: Money,
    /// By whom, and why.
    pub note: Note,
    /// SHA-256 of the request.
    pub request_hash: String,
}

/// Everything that one decision writes.
#[derive(Debug, Clone, Default)]
pub struct Commit<'a> {
    /// Lines of the ledger.
    pub postings: &'a [Posting],
    /// Counters of recipients, as they are to be, under the versions that were read.
    pub tallies: &'a [TallyRow],
    /// The counters of the referee, as they are to be.
    pub referee: Option<RefereeCount<'a>>,
    /// The referral that earns for the first time, where anybody wants to be told of that.
    pub converted: Option<Converted<'a>>,
    /// Rewards whose second-level rewards are to be decided.
    pub cascades: &'a [SourceId],
    /// Whose balance is lessened by what was not spent in time, and how often it was spent of.
    pub spending: Option<(&'a ParticipantId, Spending)>,
}

/// What is counted of a referee, and the row as it was read.
#[derive(Debug, Clone, Copy)]
pub struct RefereeCount<'a> {
    /// Whose.
    pub referee: &'a ExternalId,
    /// The row that was read.
    pub before: &'a RefereeRow,
    /// Which referral.
    pub number: u32,
    /// The counters.
    pub tally: &'a RefereeTally,
}

/// A referral that earns for the first time.
#[derive(Debug, Clone, Copy)]
pub struct Converted<'a> {
    /// Whose.
    pub referee: &'a ExternalId,
    /// Which referral.
    pub number: u32,
    /// What is told of it.
    pub event: &'a Event,
}

/// A source as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRow {
    /// Its id.
    pub source: SourceId,
    /// Counts the writes; every write names the one it was decided on.
    pub version: u64,
    /// Everything known of it.
    #[serde(default)]
    pub state: SourceState,
    /// Who paid, as its events say.
    #[serde(default)]
    pub payer: Payer,
    /// The invoices that it paid, where it is a payment, and what of each, as far as that is known. What is known of the
    /// payment is passed on to them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub invoices: BTreeMap<SourceId, Option<i64>>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<Waiting>,
    /// Since when it waits for something, or that it waited in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// The latest decision's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The program that it was decided under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramId>,
    /// The terms that were applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_version: Option<u32>,
    /// The referee's variant of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Label>,
    /// The exchange rate that it was decided by, where one was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<ExchangeRate>,
    /// What was posted, by rule.
    #[serde(default)]
    pub posted: Vec<Posted>,
    /// What was counted for it.
    #[serde(default, skip_serializing_if = "Memory::is_empty")]
    pub memory: Memory,
    /// Who gave it by hand, if it is a reward given so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// When it was written first.
    pub created_at: DateTime<Utc>,
    /// When it was written last.
    pub updated_at: DateTime<Utc>,
}

impl SourceRow {
    /// A source of which nothing is known yet.
    #[must_use]
    pub fn new(source: SourceId, now: DateTime<Utc>) -> Self {
        Self {
            source,
            version: 0,
            state: SourceState::default(),
            payer: Payer::default(),
            invoices: BTreeMap::new(),
            waiting_for: None,
            parked: None,
            reason: None,
            program: None,
            terms_version: None,
            variant: None,
            rate: None,
            posted: Vec::new(),
            memory: Memory::default(),
            grant: None,
            created_at: now,
            updated_at: now,
        }
    }
}

impl Store {
    /// A source; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_source(
        &self,
        organization: &OrganizationId,
        id: &SourceId,
    ) -> Result<Option<SourceRow>, StoreError> {
        self.get(&keys::source(organization, id), true).await?.map(from_item).transpose()
    }

    /// Writes a decided source with its ledger lines: one transaction, under the version that was read. `false` when
    /// another writer came first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_source(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
        commit: &Commit<'_>,
    ) -> Result<bool, StoreError> {
        let (item, condition) = self.source_item(organization, row)?;
        let mut actions = self.commit_actions(organization, commit, row.updated_at)?;
        if actions.is_empty() {
            return Ok(matches!(self.put_if(item, &condition).await?, Write::Done(_)));
        }
        actions.insert(0, self.put_action(item, &condition)?);
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Writes what goes with counters alone: a milestone's reward that is taken back by hand. `false` when another
    /// writer came first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_counted(
        &self,
        organization: &OrganizationId,
        commit: &Commit<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let actions = self.commit_actions(organization, commit, now)?;
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    fn commit_actions(
        &self,
        organization: &OrganizationId,
        commit: &Commit<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut actions = Vec::new();
        for posting in commit.postings {
            match posting {
                Posting::Open(reward) => actions.push(self.open_action(organization, reward)?),
                Posting::Correct { entry, reward, was } => {
                    actions.push(self.entry_action(organization, entry)?);
                    actions.push(self.correct_action(organization, reward, *was, now)?);
                }
            }
        }
        for tally in commit.tallies {
            actions.push(self.tally_action(organization, tally)?);
        }
        let counted = commit.referee.as_ref().map(|count| count.referee);
        if let Some(referee) = counted.or(commit.converted.map(|converted| converted.referee)) {
            let number = commit.converted.map(|converted| converted.number);
            actions.push(self.referee_action(organization, referee, commit.referee.as_ref(), number)?);
        }
        if let Some(converted) = &commit.converted {
            actions.push(self.event_action(converted.event)?);
        }
        if let Some((participant, spending)) = &commit.spending {
            actions.push(self.spending_action(organization, participant, *spending)?);
        }
        for source in commit.cascades {
            actions.push(self.cascade_action(organization, source, now)?);
        }
        Ok(actions)
    }

    /// Marks a reward's second-level rewards as to be decided. Its version goes up, so that a decision on its way, which
    /// has not seen the reward's newest line, is made again.
    fn cascade_action(
        &self,
        organization: &OrganizationId,
        source: &SourceId,
        now: DateTime<Utc>,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::source(organization, source);
        let due = keys::due(&key, now);
        let change = Change::new(
            "SET due_pk = :due_pk, due_sk = :due_sk, #source = :source, version = if_not_exists(version, :zero) + :one, \
             posted = if_not_exists(posted, :none), created_at = if_not_exists(created_at, :now), updated_at = :now",
            "",
        )
        .name("#source", "source")
        .value(":due_pk", text(due.pk))
        .value(":due_sk", text(due.sk))
        .value(":source", text(source.to_string()))
        .value(":zero", number(0))
        .value(":one", number(1))
        .value(":none", AttributeValue::L(Vec::new()))
        .value(":now", to_attribute(&now)?);
        self.update_action(&key, &change)
    }

    /// The item of a row, one version up, and the condition that nobody else has written it.
    pub(super) fn source_item(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
    ) -> Result<(Item, Change), StoreError> {
        let next = SourceRow { version: row.version.saturating_add(1), ..row.clone() };
        let mut item = to_item(&keys::source(organization, &row.source), &next)?;
        list_in(&mut item, organization, row);
        let condition = at_version(row.version);
        Ok((item, condition))
    }

    /// A new reward, in its day, and due when something is to be done about it.
    fn open_action(
        &self,
        organization: &OrganizationId,
        reward: &Reward,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::reward(organization, &reward.reward);
        let mut item = to_item(&key, reward)?;
        item.insert("kind".to_owned(), text("reward"));
        // The outside is to be told of it, whatever it waits for.
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, reward.recorded_at));
        index_in(&mut item, keys::DAY_INDEX, &keys::day(organization, &key, reward.recorded_at));
        self.put_action(item, &absent())
    }

    fn entry_action(
        &self,
        organization: &OrganizationId,
        entry: &Entry,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::entry(organization, &entry.reward, entry.number, entry.recorded_at);
        let mut item = to_item(&key, entry)?;
        item.insert("kind".to_owned(), text("entry"));
        index_in(&mut item, keys::DAY_INDEX, &keys::day(organization, &key, entry.recorded_at));
        self.put_action(item, &absent())
    }

    /// A reward after a correction. Only what a correction changes is written: a worker may be claiming the row.
    fn correct_action(
        &self,
        organization: &OrganizationId,
        reward: &Reward,
        was: RewardState,
        now: DateTime<Utc>,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::reward(organization, &reward.reward);
        // The outside is to be told of it; and perhaps something is to be done outside.
        let due = keys::due(&key, now);
        let mut change = set_all(
            vec![
                ("net", number(reward.net)),
                ("lines", number(reward.lines)),
                ("payable", number(reward.payable)),
                ("settled", AttributeValue::Bool(reward.settled)),
                ("state", to_attribute(&reward.state)?),
                ("moves", to_attribute(&reward.moves)?),
                ("due_pk", text(due.pk)),
                ("due_sk", text(due.sk)),
            ],
            "#state = :was",
        )
        .value(":was", to_attribute(&was)?);
        // Beside what a worker may be noting, or has told since it was read.
        let news = reward.untold.last().map(std::slice::from_ref).unwrap_or_default();
        change.expression.push_str(", untold = list_append(if_not_exists(untold, :none), :news)");
        change = change.value(":none", AttributeValue::L(Vec::new())).value(":news", to_attribute(&news)?);
        if reward.failure.is_none() {
            change = change.removing(["failure"]);
        }
        self.update_action(&key, &change)
    }
}
