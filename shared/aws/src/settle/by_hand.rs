//! What administrators and time do to rewards: give, approve, reject, take back, let expire. Each goes through the row
//! that the reward was posted from, so that later events of its source know of it.

use domain::decision::Release;
use domain::id::{EntryId, OrganizationId, RewardId, RuleId, SourceId, SourceKind};
use domain::ledger::{
    Cause, Context, Delta, HANDS_MAX, Note, Posted, Posting, Promise, Reward, RewardState, open, take_back,
};
use domain::money::Money;
use domain::reason::Reason;
use domain::terms::RewardKind;

use super::outcome::second_level;
use super::{ATTEMPTS_MAX, SettleError, Settler};
use crate::store::{Commit, Grant, ParticipantRow, ProgramRow, SourceRow, StoreError, TallyRow};

/// The rule that rewards given by hand are listed under.
const BY_HAND: &str = "by_hand";

/// A reward to be given by hand.
#[derive(Debug, Clone)]
pub struct Gift {
    /// What tells this gift from another: a repeated call has the same.
    pub id: EntryId,
    /// SHA-256 of the request.
    pub request_hash: String,
    /// To whom.
    pub participant: ParticipantRow,
    /// How much.
    pub amount: Money,
    /// What.
    pub kind: RewardKind,
    /// Who gives it, and why.
    pub note: Note,
}

/// What became of something done by hand.
#[derive(Debug)]
pub enum ByHand {
    /// Done now, or before by the same call: the reward as it is.
    Done(Box<Reward>),
    /// There is no such reward.
    Absent,
    /// Its state does not allow it.
    NotPossible(Box<Reward>),
    /// It is just being delivered.
    Delivering,
    /// Something of it was taken back too often by hand.
    TooOften,
    /// The same key was used for another request.
    OtherRequest,
}

/// How much of a reward is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All that stands.
    Whole,
    /// At most this, in minor units.
    Amount(i64),
    /// What was not spent of what was delivered into the balance.
    Unspent,
}

/// The row that a reward was posted from.
enum Place {
    Source(Box<SourceRow>, usize),
    Milestone(usize),
}

impl Settler {
    /// Gives a reward by hand.
    ///
    /// # Errors
    /// [`SettleError`]; whoever repeats the call with the same id gives it once.
    pub async fn grant(
        &self,
        organization: &OrganizationId,
        program: &ProgramRow,
        gift: &Gift,
    ) -> Result<ByHand, SettleError> {
        let source = SourceId::grant(&gift.id);
        for _ in 0..ATTEMPTS_MAX {
            let now = self.clock.now();
            if let Some(known) = self.store.find_source(organization, &source).await? {
                if known.grant.as_ref().is_none_or(|grant| grant.request_hash != gift.request_hash) {
                    return Ok(ByHand::OtherRequest);
                }
                let id = known.posted.first().map(|posted| posted.reward.clone());
                let id =
                    id.ok_or_else(|| StoreError::Corrupt { detail: format!("{source} has no reward") })?;
                let reward = self.store.find_reward(organization, &id).await?;
                return Ok(reward.map_or(ByHand::Absent, |reward| ByHand::Done(Box::new(reward))));
            }
            let recipient = gift.participant.participant.clone();
            let rule =
                RuleId::parse(BY_HAND).map_err(|error| StoreError::Corrupt { detail: error.to_string() })?;
            let delta = Delta {
                source: source.clone(),
                rule,
                recipient: recipient.clone(),
                amount: gift.amount,
                posted: None,
                promise: Promise { kind: Some(gift.kind), ..Promise::default() },
            };
            let context = Context {
                program: gift.participant.program.clone(),
                terms_version: program.program.version_at(now).unwrap_or_default(),
                referee: gift.participant.external_id.clone(),
                opens: Cause::Granted,
                takes_back: Cause::TakenBack,
                note: Some(gift.note.clone()),
                occurred_at: now,
                recorded_at: now,
            };
            let (reward, posted) = open(&delta, &context);
            let row = SourceRow {
                reason: Some(Reason::Granted),
                program: Some(gift.participant.program.clone()),
                posted: vec![posted],
                grant: Some(Grant {
                    participant: recipient.clone(),
                    amount: gift.amount,
                    note: gift.note.clone(),
                    request_hash: gift.request_hash.clone(),
                }),
                ..SourceRow::new(source.clone(), now)
            };
            let (tallies, release) =
                self.counted_with(organization, program, &gift.participant, &reward).await?;
            let postings = [Posting::Open(Box::new(reward.clone()))];
            let commit = Commit { postings: &postings, tallies: &tallies, ..Commit::default() };
            if self.store.commit_source(organization, &row, &commit).await? {
                self.announce(organization, &postings).await;
                self.follow_up(organization, &[], &release).await;
                return Ok(ByHand::Done(Box::new(reward)));
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    /// Takes back what stands of a reward, or a part of it: `cause` says whether it is rejected before its delivery, taken
    /// back after it, or expired. A call with the same `key` takes nothing twice. What follows a dot in the key tells requests
    /// with the same key apart.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn take_back(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
        part: Part,
        cause: Cause,
        note: Option<Note>,
        key: &str,
    ) -> Result<ByHand, SettleError> {
        for _ in 0..ATTEMPTS_MAX {
            let now = self.clock.now();
            let Some(reward) = self.store.find_reward(organization, id).await? else {
                return Ok(ByHand::Absent);
            };
            let program = self.store.find_recent_program(organization, &reward.program).await?;
            let corrupt = |what: &str| StoreError::Corrupt { detail: format!("{id}: {what}") };
            let program = program.ok_or_else(|| corrupt("no program"))?;
            let counters = self.counters_of(organization, &program, &reward).await?;
            let (place, posted) = self.place_of(organization, &reward, counters.as_ref()).await?;
            if posted.hands.iter().any(|known| known == key) {
                return Ok(ByHand::Done(Box::new(reward)));
            }
            let name_of = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
            if posted.hands.iter().any(|known| name_of(known) == name_of(key)) {
                return Ok(ByHand::OtherRequest);
            }
            // Time is nobody's hand.
            if posted.hands.len() >= HANDS_MAX && cause != Cause::Expired {
                return Ok(ByHand::TooOften);
            }
            if reward.is_being_delivered() {
                return Ok(ByHand::Delivering);
            }
            if cause != Cause::TakenBack && part != Part::Unspent && reward.fulfilled_at.is_some() {
                return Ok(ByHand::NotPossible(Box::new(reward)));
            }
            // Before the balance: whoever spends after this is seen by the version.
            let spending = match part {
                Part::Unspent => Some(self.store.get_spending(organization, &reward.participant).await?),
                Part::Whole | Part::Amount(_) => None,
            };
            let amount = match part {
                Part::Whole => None,
                Part::Amount(amount) => Some(amount),
                Part::Unspent => Some(self.store.left_of(organization, &reward).await?),
            };
            let context = Context {
                program: reward.program.clone(),
                terms_version: reward.terms_version,
                referee: reward.referee.clone(),
                opens: Cause::Granted,
                takes_back: cause,
                note: note.clone(),
                occurred_at: reward.occurred_at,
                recorded_at: now,
            };
            let Some((posting, mut after)) = take_back(&posted, &reward, amount, &context)? else {
                return Ok(ByHand::NotPossible(Box::new(reward)));
            };
            after.hands.push(key.to_owned());
            let taken = posting.reward().clone();
            let mut tallies = Vec::new();
            if let Some(row) = counters {
                let mut tally = row.tally.clone();
                tally.earn(posting.amount())?;
                tallies.push(row.counted(tally, Vec::new(), now));
            }
            let postings = [posting];
            let cascades = second_level(&postings, program.program.cascades);
            if let Place::Milestone(index) = place {
                let slot = tallies.first_mut().and_then(|row| row.tally.milestones.get_mut(index));
                slot.ok_or_else(|| corrupt("its milestone is not counted"))?.posted = after.clone();
            }
            let commit = Commit {
                postings: &postings,
                tallies: &tallies,
                cascades: &cascades,
                spending: spending.map(|spending| (&reward.participant, spending)),
                ..Commit::default()
            };
            let written = match place {
                Place::Source(mut row, index) => {
                    if let Some(slot) = row.posted.get_mut(index) {
                        *slot = after;
                    }
                    row.updated_at = now;
                    self.store.commit_source(organization, &row, &commit).await?
                }
                Place::Milestone(_) => self.store.commit_counted(organization, &commit, now).await?,
            };
            if written {
                self.announce(organization, &postings).await;
                self.follow_up(organization, &cascades, &Vec::new()).await;
                return Ok(ByHand::Done(Box::new(taken)));
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    /// Lets a reward go that nobody approved or that was not delivered in time, and takes back of one that was delivered
    /// what was not spent in time. Nothing happens to any other; whether something did.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn expire(&self, organization: &OrganizationId, reward: &Reward) -> Result<bool, SettleError> {
        let now = self.clock.now();
        let over = reward.promise.expires_at.is_some_and(|at| at <= now);
        let (part, key) = if over && matches!(reward.state, RewardState::Pending | RewardState::Held) {
            (Part::Whole, "expiry")
        } else if reward.is_over(now) {
            (Part::Unspent, "unspent")
        } else {
            return Ok(false);
        };
        let taken = self.take_back(organization, &reward.reward, part, Cause::Expired, None, key).await?;
        Ok(matches!(taken, ByHand::Done(after) if after.lines != reward.lines))
    }

    /// Where a reward was posted from, and what is posted of it there.
    async fn place_of(
        &self,
        organization: &OrganizationId,
        reward: &Reward,
        counters: Option<&TallyRow>,
    ) -> Result<(Place, Posted), SettleError> {
        let corrupt = || StoreError::Corrupt { detail: format!("{} was posted from nowhere", reward.reward) };
        if reward.source.kind == SourceKind::Milestone {
            let row = counters.ok_or_else(corrupt)?;
            let mut awards = row.tally.milestones.iter().enumerate();
            let found = awards.find(|(_, awarded)| awarded.posted.reward == reward.reward);
            let (index, awarded) = found.ok_or_else(corrupt)?;
            return Ok((Place::Milestone(index), awarded.posted.clone()));
        }
        let row = self.store.find_source(organization, &reward.source).await?.ok_or_else(corrupt)?;
        let found = row.posted.iter().enumerate().find(|(_, posted)| posted.reward == reward.reward);
        let (index, posted) = found.map(|(index, posted)| (index, posted.clone())).ok_or_else(corrupt)?;
        Ok((Place::Source(Box::new(row), index), posted))
    }

    async fn counters_of(
        &self,
        organization: &OrganizationId,
        program: &ProgramRow,
        reward: &Reward,
    ) -> Result<Option<TallyRow>, SettleError> {
        if !program.program.counts_at(self.clock.now()) {
            return Ok(None);
        }
        let has_past = program.program.counts_from.is_some_and(|from| from > program.program.created_at);
        Ok(Some(self.store.get_tally(organization, &reward.participant, has_past).await?))
    }

    /// The counters with a gift, and whose rewards have waited for what it adds.
    async fn counted_with(
        &self,
        organization: &OrganizationId,
        program: &ProgramRow,
        participant: &ParticipantRow,
        reward: &Reward,
    ) -> Result<(Vec<TallyRow>, Release), SettleError> {
        let Some(row) = self.counters_of(organization, program, reward).await? else {
            return Ok((Vec::new(), Release::new()));
        };
        let now = reward.recorded_at;
        let version = program.program.terms_for(&participant.assignments, now, now);
        let version = version.map_or(program.terms.version, |applicable| applicable.version);
        let terms = self.store.get_terms(organization, program, version).await?;
        let mut tally = row.tally.clone();
        tally.earn(Money::new(reward.delta, reward.unit))?;
        let units = tally.release(&terms.draft.min_earnings);
        let release = units.iter().map(|unit| (row.participant.clone(), *unit)).collect();
        Ok((vec![row.counted(tally, units, now)], release))
    }
}
