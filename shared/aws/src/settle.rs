//! Settling a source: the one path by which facts become ledger lines.
//!
//! read payer, source and program -> one call into the rules -> one transaction -> tell the queue. A lost race reads
//! again and decides again; nothing is written twice because the source's version is part of every write.

mod audit;
mod by_hand;
mod counters;
mod delivery;
mod explain;
mod follow_up;
mod outcome;
mod parked;
mod payer;
mod payment;
mod rates;
mod redemption;
mod signup;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::decision::{Case, decide, note_posted};
use domain::fact::{Fact, Payer};
use domain::id::{ExternalId, OrganizationId, RewardId, SourceId, SourceKind};
use domain::ledger::{Cause, Context, Delta, Posting, note, post};
use domain::money::{Money, MoneyError};
use domain::reason::Reason;
use domain::referral::Binding;
use domain::source::SourceState;
use domain::tally::Tallies;
use domain::terms::LINES_KEY;

use crate::config::{ConfigError, Lookup};
use crate::queue::Queue;
use crate::store::{Commit, Converted, Parking, RefereeCount, SourceRow, Store, StoreError};
use crate::{Clock, Events, Platform};
pub use audit::{SourceLook, look_at_source};
pub use by_hand::{ByHand, Gift, Part};
use counters::read_counters;
pub use explain::{Explanation, explain};
use outcome::{join, posted_line, same_but_time, second_level, settled, takes_back, unchanged, waiting_for};
use parked::parked_since;
use payer::{PayerState, find_payer};
use rates::find_rate;
pub use redemption::Redeemed;
pub use signup::SignUp;

/// How often a lost race is tried again before the caller is asked to come back.
const ATTEMPTS_MAX: u32 = 24;

/// What settling needs.
#[derive(Debug, Clone)]
pub struct Settler {
    /// The table.
    pub store: Store,
    /// Where due rewards are announced.
    pub fulfill_queue: Queue,
    /// What the outside is told.
    pub events: Events,
    /// The clock.
    pub clock: Clock,
}

/// Why a fact was not settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The fact cannot belong to the source; nothing was written.
    #[error("{detail}")]
    Refused {
        /// The reason code.
        reason: Reason,
        /// What exactly.
        detail: String,
    },
    /// Too many sources wait for the same payer.
    #[error("too many sources wait for this payer to sign up")]
    WaitingListFull,
    /// An amount cannot be computed.
    #[error("an amount cannot be computed")]
    Money(#[from] MoneyError),
    /// The table.
    #[error("the table did not take it")]
    Store(#[from] StoreError),
}

/// What settling a source came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The source, after forwarding.
    pub source: SourceId,
    /// The decision's reason.
    pub reason: Reason,
    /// Whether anything was written: `false` for a fact that was known already.
    pub changed: bool,
    /// What was posted by this call.
    pub posted: Vec<(RewardId, Money)>,
}

/// Waits before a lost race is run again: not at first, then longer and longer, up to a tenth of a second. Writers of
/// different sources that race for one participant's counters wait differently long.
async fn give_way(writer: &impl std::fmt::Display, attempt: u32) {
    if attempt < 2 {
        return;
    }
    let window = 10_u32 << attempt.min(5);
    let spread = crc32fast::hash(format!("{writer}{attempt}").as_bytes()) % window.min(100);
    tokio::time::sleep(Duration::from_millis(u64::from(spread))).await;
}

impl Settler {
    /// That of a function: `FULFILL_QUEUE_URL` and `EVENTS_QUEUE_URL` name the queues.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: Lookup<'_>, store: &Store) -> Result<Self, ConfigError> {
        Ok(Self {
            store: store.clone(),
            fulfill_queue: Queue::new(platform, lookup, "FULFILL_QUEUE_URL")?,
            events: Events::new(platform, lookup, store.clone())?,
            clock: platform.clock.clone(),
        })
    }

    /// Takes a fact: joins it to its source, ties its payments to it, and posts what follows.
    ///
    /// # Errors
    /// [`SettleError`]; nothing is lost when the caller repeats the call.
    pub async fn record(&self, organization: &OrganizationId, fact: &Fact) -> Result<Settled, SettleError> {
        let settled = match fact.source.kind {
            SourceKind::Payment => self.record_payment(organization, fact).await?,
            SourceKind::Invoice
            | SourceKind::Signup
            | SourceKind::Event
            | SourceKind::Payout
            | SourceKind::Reward
            | SourceKind::Milestone
            | SourceKind::Grant => self.settle(organization, &fact.source, Some(fact)).await?,
        };
        if settled.reason == Reason::NotReferred && !settled.changed {
            return Ok(settled);
        }
        for tie in &fact.payments {
            self.tie(organization, tie, &fact.source).await?;
        }
        self.learn_customer(organization, &fact.payer).await?;
        Ok(settled)
    }

    /// Decides a source again: what it waited for has come.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn settle_again(
        &self,
        organization: &OrganizationId,
        source: &SourceId,
    ) -> Result<Settled, SettleError> {
        self.settle(organization, source, None).await
    }

    /// Decides again whatever waited for a referee who is bound now.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn release_referee(
        &self,
        organization: &OrganizationId,
        referee: &ExternalId,
        waiting: &[SourceId],
    ) -> Result<(), SettleError> {
        for source in waiting {
            if source.kind == SourceKind::Signup {
                self.settle_signup(organization, referee, source).await?;
            } else {
                self.settle(organization, source, None).await?;
            }
        }
        Ok(self.store.finish_referee(organization, referee).await?)
    }

    /// Decides what a sign-up itself earns.
    async fn settle_signup(
        &self,
        organization: &OrganizationId,
        referee: &ExternalId,
        source: &SourceId,
    ) -> Result<(), SettleError> {
        let binding = self.store.get_referee(organization, referee).await?.binding();
        let Some(referral) = binding.latest() else { return Ok(()) };
        let payer = Payer::named(referee.clone());
        let state = SourceState::happened(referral.signed_up_at, None);
        let fact = Fact::of(source.clone(), payer, state);
        self.settle(organization, source, Some(&fact)).await?;
        Ok(())
    }

    async fn settle(
        &self,
        organization: &OrganizationId,
        source: &SourceId,
        fact: Option<&Fact>,
    ) -> Result<Settled, SettleError> {
        for attempt in 0..ATTEMPTS_MAX {
            give_way(source, attempt).await;
            let now = self.clock.now();
            // The payer first: most payers were not referred, and then this is the only read.
            let mut payer = match fact {
                Some(fact) => find_payer(&self.store, organization, &fact.payer).await?,
                None => None,
            };
            let organic = matches!(&payer, Some(PayerState { binding: Binding::Organic { .. }, .. }));
            // A reward's own row is due until it was decided on: writing it is what ends that.
            let is_reward = source.kind == SourceKind::Reward;
            if organic && !is_reward {
                return Ok(unchanged(source.clone(), Reason::NotReferred));
            }
            let known = self.store.find_source(organization, source).await?;
            if let Some(payment) = known.as_ref().filter(|row| !row.invoices.is_empty()) {
                return match fact {
                    Some(fact) => Box::pin(self.record_payment(organization, fact)).await,
                    None => Box::pin(self.pass_on(organization, payment)).await,
                };
            }
            let before = known.clone().unwrap_or_else(|| SourceRow::new(source.clone(), now));
            let mut row = join(&before, fact)?;
            self.drop_labels(organization, payer.as_ref(), &mut row).await?;
            let is_known = known.is_some() && row == before && before.waiting_for.is_none();
            if is_known && fact.is_some() && !is_reward {
                return Ok(unchanged(source.clone(), before.reason.unwrap_or(Reason::AwaitingPayment)));
            }
            if payer.as_ref().is_none_or(|payer| payer.referee.is_none()) {
                let same = fact.is_some_and(|fact| fact.payer == row.payer);
                let known = payer.filter(|_| same);
                payer = self.find_known_payer(organization, known, &mut row.payer, fact).await?;
                self.drop_labels(organization, payer.as_ref(), &mut row).await?;
            }
            let payer = payer.unwrap_or_default();
            row.updated_at = now;
            if let Some(settled) = self.decide(organization, &before, row, &payer, fact, now).await? {
                return Ok(settled);
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    /// Leaves out of a source what no terms of the payer's programs ask for: a row of more than 1 KB costs twice as much. An
    /// unknown payer's labels are kept until the program is known.
    async fn drop_labels(
        &self,
        organization: &OrganizationId,
        payer: Option<&PayerState>,
        row: &mut SourceRow,
    ) -> Result<(), SettleError> {
        let Some(Binding::Bound { referral, former }) = payer.map(|payer| &payer.binding) else {
            return Ok(());
        };
        if row.state.labels.is_empty() && row.state.lines.is_empty() {
            return Ok(());
        }
        let mut wanted: Vec<String> = Vec::new();
        for referral in former.iter().chain([referral]) {
            let program = self.store.find_recent_program(organization, &referral.program).await?;
            wanted.extend(program.map(|row| row.program.label_keys).unwrap_or_default());
        }
        row.state.labels.retain(|key, _| wanted.contains(key));
        if !wanted.iter().any(|key| key == LINES_KEY) {
            row.state.lines.clear();
            row.state.lines_complete = false;
        }
        Ok(())
    }

    /// One decision and its commit; `None` when another writer came first.
    async fn decide(
        &self,
        organization: &OrganizationId,
        before: &SourceRow,
        mut row: SourceRow,
        payer: &PayerState,
        fact: Option<&Fact>,
        now: DateTime<Utc>,
    ) -> Result<Option<Settled>, SettleError> {
        let found = self.store.find_program_then(organization, &payer.binding, &row).await?;
        let known_payer = Payer { external_id: payer.referee.clone(), ..row.payer.clone() };
        let counters = read_counters(&self.store, organization, &row, payer, found.as_ref()).await?;
        let case = Case {
            source: &row.source,
            state: &row.state,
            payer: &known_payer,
            binding: &payer.binding,
            then: found.as_ref().map(|found| &found.then),
            memory: &row.memory,
            tallies: &counters.before,
            rate: None,
            now,
        };
        let rate = find_rate(&self.store, organization, &case, row.rate).await?;
        let case = Case { rate: rate.as_ref(), ..case };
        let decision = decide(&case, &row.posted)?;
        let reason = decision.judgement.reason;
        let waiting_for = waiting_for(reason, &case);
        row.reason = Some(reason);
        row.rate = rate.or(row.rate);
        if let Some(waiting_for) = waiting_for {
            if self.bind_by_promotion(organization, &row, payer).await? {
                return Ok(None);
            }
            row.waiting_for = Some(waiting_for);
            row.parked = Some(parked_since(before, now));
            if same_but_time(before, &row) && row.source.kind != SourceKind::Reward {
                return Ok(Some(unchanged(row.source, reason)));
            }
            return match self.store.commit_parked(organization, &row).await? {
                Parking::Committed => Ok(Some(settled(&row, before, Vec::new()))),
                Parking::Lost => Ok(None),
                Parking::Full => Err(SettleError::WaitingListFull),
            };
        }
        row.waiting_for = None;
        row.parked = (reason == Reason::AwaitingPayment).then(|| parked_since(before, now));
        row.program = found.as_ref().map(|found| found.then.program.clone());
        row.terms_version = decision.judgement.terms_version;
        row.variant = decision.judgement.variant.clone();
        row.memory = decision.judgement.memory.clone();
        let mut tallies = decision.tallies.clone();
        let Some(postings) =
            self.postings(organization, &mut row, &decision.deltas, &mut tallies, payer, fact, now).await?
        else {
            return Ok(None);
        };
        let is_same = postings.is_empty() && same_but_time(before, &row);
        if is_same && row.source.kind != SourceKind::Reward {
            return Ok(Some(unchanged(row.source, reason)));
        }
        let converted = self.conversion(organization, &row, payer, &postings).await?;
        let changed = counters.changed(&tallies, &decision.release, now);
        let cascades = second_level(&postings, found.as_ref().is_some_and(|found| found.cascades));
        let number = counters.number;
        let known = payer.referee.as_ref().zip(payer.row.as_ref());
        let referee = known.filter(|_| tallies.referee != counters.before.referee);
        let commit = Commit {
            postings: &postings,
            tallies: &changed,
            referee: referee.map(|(referee, before)| RefereeCount {
                referee,
                before,
                number,
                tally: &tallies.referee,
            }),
            converted: known.zip(converted.as_ref()).map(|((referee, _), (number, event))| Converted {
                referee,
                number: *number,
                event,
            }),
            cascades: &cascades,
            spending: None,
        };
        if !self.store.commit_source(organization, &row, &commit).await? {
            return Ok(None);
        }
        self.announce(organization, &postings).await;
        self.events.announce(converted.as_ref().map(|(_, event)| event)).await;
        self.follow_up(organization, &cascades, &decision.release).await;
        let posted = postings.iter().map(posted_line).collect();
        Ok(Some(settled(&row, before, posted)))
    }

    /// The ledger lines of the differences; `None` when a reward is not as the source says, which means that the
    /// source was written since it was read.
    #[expect(clippy::too_many_arguments, reason = "what one decision turns into lines")]
    async fn postings(
        &self,
        organization: &OrganizationId,
        row: &mut SourceRow,
        deltas: &[Delta],
        tallies: &mut Tallies,
        payer: &PayerState,
        fact: Option<&Fact>,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Posting>>, SettleError> {
        let (Some(program), Some(payment), Some(referee)) =
            (row.program.clone(), row.state.payment.clone(), payer.referee.clone())
        else {
            return Ok(Some(Vec::new()));
        };
        let context = Context {
            program,
            terms_version: row.terms_version.unwrap_or_default(),
            referee,
            opens: Cause::Earned,
            takes_back: takes_back(row, fact),
            note: None,
            occurred_at: payment.paid_at,
            recorded_at: now,
        };
        let mut postings = Vec::new();
        for delta in deltas {
            let current = match &delta.posted {
                Some(posted) => match self.store.find_reward(organization, &posted.reward).await? {
                    Some(reward) => Some(reward),
                    None => return Ok(None),
                },
                None => None,
            };
            let (posting, posted) = post(delta, current.as_ref(), &context)?;
            if delta.source == row.source {
                note(&mut row.posted, delta.posted.as_ref(), posted);
            } else {
                note_posted(tallies, delta, posted);
            }
            postings.push(posting);
        }
        Ok(Some(postings))
    }
}
