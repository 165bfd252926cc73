//! Sources: the joined state, what was decided of it and what was posted; the row that every money transaction turns on.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use chrono::{DateTime, Utc};
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
use super::item::{Change, Item, Write, from_item, index_in, number, set_all, text, to_attribute, to_item};
use super::keys;
use super::organization::absent;
use super::referee::{RefereeRow, WAITING_MAX};
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
    /// Rewards whose second-level rewards are to be decided.
    pub cascades: &'a [SourceId],
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
    /// The source that this one's events belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<SourceId>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<Waiting>,
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

/// How a commit that parks a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parking {
    /// Written.
    Committed,
    /// Somebody else wrote one of the rows; read again.
    Lost,
    /// Too many sources wait there already.
    Full,
}

/// How a payment was tied to its invoice.
#[derive(Debug)]
pub enum Forward {
    /// Tied; nothing was known of the payment.
    Empty,
    /// Tied now, and the row is due until what was known of the payment has moved to the invoice.
    Waiting(Box<SourceState>),
    /// Tied before, to this invoice or to another.
    Known(SourceId),
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
            forward_to: None,
            waiting_for: None,
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
                    actions.push(self.correct_action(organization, reward, *was)?);
                }
            }
        }
        for tally in commit.tallies {
            actions.push(self.tally_action(organization, tally)?);
        }
        if let Some(count) = &commit.referee {
            let RefereeCount { referee, before, number, tally } = *count;
            actions.push(self.referee_tally_action(organization, referee, before, number, tally)?);
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

    /// Writes a source that waits, and puts it on the list of what it waits for. That row must not have been bound in
    /// the meantime: whoever binds it decides again only what is on its list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_parked(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
        waiting_for: &Waiting,
    ) -> Result<Parking, StoreError> {
        let (item, condition) = self.source_item(organization, row)?;
        let (key, bound) = match waiting_for {
            Waiting::Rate(key) => return self.commit_waiting_for_rate(organization, row, *key).await,
            Waiting::Referee(id) => (keys::referee(organization, id), "binding"),
            Waiting::Customer(customer) => (keys::customer(organization, customer), "referee"),
        };
        let open = format!(
            "attribute_not_exists({bound}) AND (attribute_not_exists(waiting) OR size(waiting) < :max OR contains(waiting, :source))"
        );
        let change = Change::new("ADD waiting :sources", open)
            .value(":sources", AttributeValue::Ss(vec![row.source.to_string()]))
            .value(":source", text(row.source.to_string()))
            .value(":max", number(WAITING_MAX));
        let actions = vec![self.put_action(item, &condition)?, self.update_action(&key, &change)?];
        match self.transact(actions).await? {
            Transaction::Committed => Ok(Parking::Committed),
            Transaction::Refused { rows } => {
                let list = rows.into_iter().nth(1).flatten();
                let full = list.is_some_and(|list| !list.contains_key(bound) && is_full(&list));
                Ok(if full { Parking::Full } else { Parking::Lost })
            }
        }
    }

    /// Ties a payment to its invoice, once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_forward(
        &self,
        organization: &OrganizationId,
        payment: &SourceId,
        invoice: &SourceId,
        now: DateTime<Utc>,
    ) -> Result<Forward, StoreError> {
        let key = keys::source(organization, payment);
        let row = SourceRow {
            version: 1,
            forward_to: Some(invoice.clone()),
            ..SourceRow::new(payment.clone(), now)
        };
        let known: SourceRow = match self.put_new(to_item(&key, &row)?).await? {
            Write::Done(_) => return Ok(Forward::Empty),
            Write::Refused(item) => from_item(item)?,
        };
        if let Some(target) = known.forward_to {
            return Ok(Forward::Known(target));
        }
        let due = keys::due(&key, now);
        // Whatever has joined the row since is answered by the write itself.
        let change = Change::new(
            "SET forward_to = :invoice, due_pk = :due_pk, due_sk = :due_sk, version = version + :one",
            "attribute_exists(pk) AND attribute_not_exists(forward_to)",
        )
        .value(":invoice", text(invoice.to_string()))
        .value(":due_pk", text(due.pk))
        .value(":due_sk", text(due.sk))
        .value(":one", number(1));
        match self.update(&key, &change).await? {
            Write::Done(item) => Ok(Forward::Waiting(Box::new(from_item::<SourceRow>(item)?.state))),
            Write::Refused(item) => {
                let row: SourceRow = from_item(item)?;
                row.forward_to.map(Forward::Known).ok_or(StoreError::Contended { attempts: 2 })
            }
        }
    }

    /// Whether this process knows a payment to be tied to this invoice, so that a repeated event need not ask again. A
    /// tie never changes.
    #[must_use]
    pub fn knows_forward(
        &self,
        organization: &OrganizationId,
        payment: &SourceId,
        invoice: &SourceId,
    ) -> bool {
        self.forwards.any(&keys::source(organization, payment)).as_ref() == Some(invoice)
    }

    /// Remembers that a payment is tied to this invoice.
    pub fn remember_forward(&self, organization: &OrganizationId, payment: &SourceId, invoice: &SourceId) {
        self.forwards.keep(keys::source(organization, payment), invoice.clone(), self.clock.now());
    }

    /// What was known of a payment has moved to its invoice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_forward(
        &self,
        organization: &OrganizationId,
        payment: &SourceId,
    ) -> Result<(), StoreError> {
        let change = Change::new("REMOVE due_pk, due_sk", "attribute_exists(forward_to)");
        self.update(&keys::source(organization, payment), &change).await.map(|_| ())
    }

    /// The item of a row, one version up, and the condition that nobody else has written it.
    pub(super) fn source_item(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
    ) -> Result<(Item, Change), StoreError> {
        let next = SourceRow { version: row.version.saturating_add(1), ..row.clone() };
        let item = to_item(&keys::source(organization, &row.source), &next)?;
        let condition = match row.version {
            0 => absent(),
            version => Change::new("", "version = :version").value(":version", number(version)),
        };
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
        if let Some(at) = due_at(reward) {
            index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, at));
        }
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
    ) -> Result<TransactWriteItem, StoreError> {
        let mut change = set_all(
            vec![
                ("net", number(reward.net)),
                ("lines", number(reward.lines)),
                ("payable", number(reward.payable)),
                ("settled", AttributeValue::Bool(reward.settled)),
                ("state", to_attribute(&reward.state)?),
            ],
            "#state = :was",
        )
        .value(":was", to_attribute(&was)?);
        if reward.settled {
            change.expression.push_str(" REMOVE due_pk, due_sk");
        }
        self.update_action(&keys::reward(organization, &reward.reward), &change)
    }
}

/// When something is to be done about a new reward: its delivery, or its expiry while it waits for somebody.
fn due_at(reward: &Reward) -> Option<DateTime<Utc>> {
    let promise = &reward.promise;
    match reward.state {
        RewardState::Approved => Some(reward.recorded_at),
        RewardState::Held if !promise.below_threshold => promise.held_until,
        RewardState::Held | RewardState::Pending => promise.expires_at,
        RewardState::Fulfilling
        | RewardState::Fulfilled
        | RewardState::Rejected
        | RewardState::Reversed
        | RewardState::Expired
        | RewardState::Failed => None,
    }
}

fn is_full(list: &Item) -> bool {
    list.get("waiting")
        .and_then(|value| value.as_ss().ok())
        .is_some_and(|waiting| waiting.len() >= WAITING_MAX)
}
