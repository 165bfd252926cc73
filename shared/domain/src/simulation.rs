//! A run of terms over example events, in memory: what `POST /v1/programs/{id}/simulate` answers, and what the rules are
//! tested with. Every step goes through the functions that the engine itself uses: events are joined, the source is
//! decided, the differences are posted, and what a reward leads to is decided after it.

mod books;
mod event;
mod step;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::code::ReferralCode;
use crate::decision::{Case, Decision, ProgramThen, decide, note_posted, rate_wanted};
use crate::fact::{Fact, Payer, PayerMismatch};
use crate::id::{Channel, ExternalId, IdError, OrganizationId, ParticipantId, RewardId, SourceId, digest};
use crate::ledger::{
    Balances, Cause, Context, Delta, Entry, Line, Posted, Posting, Reward, add_line, note, post,
};
use crate::money::{Currency, MoneyError};
use crate::program::{ChangeError, Program, ProgramStatus, StatusChange, TermsChange};
use crate::rate::{ExchangeRate, Rate};
use crate::referral::{Binding, CodeOwner, ProgramAtSignup, Signup, attribute, repeat};
use crate::source::{MergeError, SourceState};
use crate::tally::{Memory, RefereeTally, Tallies, Tally};
use crate::terms::{Terms, TermsDraft};
use crate::touch::Touch;

use event::Told;
pub use event::{
    ExampleDispute, ExampleEvent, ExampleInvoice, ExampleOther, ExamplePayout, ExampleRefund, ExampleSignup,
    ExampleTouch, ExampleVoid,
};
pub use step::{Counted, Decided, SimulatedLine, SimulatedOutcome, Step, Summary, SummaryFigures};

/// Most events in one simulation.
pub const EVENTS_MAX: usize = 200;

/// An example that cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// More than [`EVENTS_MAX`] events.
    #[error("must have at most {EVENTS_MAX} events")]
    TooManyEvents,
    /// An amount that cannot be.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// It contradicts what an earlier event said of the same source.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// It is of another payer than an earlier event of the same source.
    #[error(transparent)]
    Payer(#[from] PayerMismatch),
    /// One without the other.
    #[error("must have both an amount and its currency, or neither")]
    AmountAndCurrency,
    /// An empty or an over-long label.
    #[error("must have plans, products, countries, metadata keys and values of 1 to 100 characters")]
    Label,
    /// An id that cannot be.
    #[error(transparent)]
    Id(#[from] IdError),
}

/// What is known of one source.
#[derive(Debug, Clone, Default)]
struct Row {
    payer: Payer,
    state: SourceState,
    memory: Memory,
    posted: Vec<Posted>,
}

/// A run of terms over example events.
#[derive(Debug, Clone)]
pub struct Simulation {
    organization: OrganizationId,
    program: Program,
    terms: Terms,
    /// Terms that came after the first, oldest first.
    later: Vec<Terms>,
    /// The latest moment of any event so far: the engine's clock.
    now: DateTime<Utc>,
    events: usize,
    names: BTreeMap<ParticipantId, ExternalId>,
    referees: BTreeMap<ExternalId, Binding>,
    sources: BTreeMap<SourceId, Row>,
    rewards: BTreeMap<RewardId, Reward>,
    entries: Vec<Entry>,
    balances: BTreeMap<ParticipantId, Balances>,
    referee_tallies: BTreeMap<(ExternalId, u32), RefereeTally>,
    tallies: BTreeMap<ParticipantId, Tally>,
    rates: BTreeMap<Currency, Rate>,
    /// Every line as it was written.
    #[cfg(test)]
    lines: Vec<Line>,
}

impl Simulation {
    /// A simulation in which nothing has happened. The program is taken as active from its beginning to its end, and the
    /// terms as those of everybody and of all times.
    #[must_use]
    pub fn new(organization: OrganizationId, program: Program, terms: TermsDraft) -> Self {
        let active = StatusChange { status: ProgramStatus::Active, effective_from: DateTime::<Utc>::MIN_UTC };
        let version = program.last_version.saturating_add(1);
        let effective_from = DateTime::<Utc>::MIN_UTC;
        let first = TermsChange { version, effective_from, group: None, policy: program.terms_policy };
        Self {
            organization,
            program: Program {
                statuses: vec![active],
                versions: vec![first],
                last_version: version,
                ..program
            },
            terms: Terms { version, effective_from, draft: terms },
            later: Vec::new(),
            now: DateTime::<Utc>::UNIX_EPOCH,
            events: 0,
            names: BTreeMap::new(),
            referees: BTreeMap::new(),
            sources: BTreeMap::new(),
            rewards: BTreeMap::new(),
            entries: Vec::new(),
            balances: BTreeMap::new(),
            referee_tallies: BTreeMap::new(),
            tallies: BTreeMap::new(),
            rates: BTreeMap::new(),
            #[cfg(test)]
            lines: Vec::new(),
        }
    }

    /// With the exchange rates of all days: what one unit of each currency is worth in the terms' payout currency.
    #[must_use]
    pub fn with_rates(self, rates: BTreeMap<Currency, Rate>) -> Self {
        Self { rates, ..self }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`SimulationError`]; the simulation is left as it was.
    pub fn apply(&mut self, event: &ExampleEvent) -> Result<Step, SimulationError> {
        let mut after = self.clone();
        let step = after.take(event)?;
        *self = after;
        Ok(step)
    }

    /// Takes a fact as the engine hears it, told by now. A cancelled or a credited source has no example of its own.
    ///
    /// # Errors
    /// [`SimulationError`]; the simulation is left as it was, but for an amount that cannot be.
    pub fn hear(&mut self, fact: &Fact) -> Result<Step, SimulationError> {
        let payer = fact.payer.external_id.clone();
        let told = Told { source: fact.source.clone(), payer, state: fact.state.clone() };
        Ok(Step { refused: None, decisions: self.record(&told)? })
    }

    /// The engine's clock goes on to this moment.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        self.now = self.now.max(now);
    }

    /// Other terms for everybody, in effect a minute from now.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn change_terms(&mut self, draft: TermsDraft) -> Result<(), ChangeError> {
        let terms = self.program.change_terms(draft, None, self.now)?;
        self.later.push(terms);
        Ok(())
    }

    /// Another status of the program, in effect a minute from now.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn change_status(&mut self, to: ProgramStatus) -> Result<(), ChangeError> {
        self.program.change_status(to, self.now)
    }

    /// What everybody has earned.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut participants: BTreeMap<ExternalId, BTreeMap<_, _>> = BTreeMap::new();
        for (participant, balances) in &self.balances {
            let Some(name) = self.names.get(participant) else { continue };
            for (unit, figures) in balances {
                let (earned, reversed) = (figures.earned, figures.reversed);
                let figures = SummaryFigures { earned, reversed, net: earned.saturating_sub(reversed) };
                participants.entry(name.clone()).or_default().insert(*unit, figures);
            }
        }
        Summary { participants }
    }

    fn take(&mut self, event: &ExampleEvent) -> Result<Step, SimulationError> {
        self.events = self.events.saturating_add(1);
        if self.events > EVENTS_MAX {
            return Err(SimulationError::TooManyEvents);
        }
        self.advance(event.at());
        let told = match event {
            ExampleEvent::Signup(signup) => return self.sign_up(signup),
            ExampleEvent::InvoicePaid(event) => event.told()?,
            ExampleEvent::Refund(event) => event.told()?,
            ExampleEvent::Event(event) => event.told()?,
            ExampleEvent::Payout(event) => event.told()?,
            ExampleEvent::Dispute(event) => event.told()?,
            ExampleEvent::Void(event) => event.told()?,
        };
        Ok(Step { refused: None, decisions: self.record(&told)? })
    }

    /// Takes a sign-up, told by now.
    ///
    /// # Errors
    /// [`SimulationError`]; a refusal is no error, and changes nothing.
    pub fn sign_up(&mut self, example: &ExampleSignup) -> Result<Step, SimulationError> {
        let signup = Signup {
            referee: example.referee.clone(),
            code: example.referrer.as_ref().map(code_of),
            channel: example.channel.clone().map_or_else(|| Channel::parse("sign-up"), Ok)?,
            existing_customer: example.existing_customer,
            signed_up_at: example.at,
        };
        let refused = |reason| Ok(Step { refused: Some(reason), decisions: Vec::new() });
        if let Some(known) = self.referees.get(&example.referee) {
            return match repeat(&signup, known) {
                Ok(()) => Ok(Step { refused: None, decisions: Vec::new() }),
                Err(reason) => refused(reason),
            };
        }
        let owner = example.referrer.as_ref().map(|referrer| self.code_owner(referrer));
        let touches: Vec<Touch> = example.touches.iter().map(|touch| self.touch(touch)).collect();
        let status = self.program.status_at(example.at);
        let draft = self.terms_of(example.at, example.at).draft.clone();
        let most = draft.max_referrals;
        let program = ProgramAtSignup { status, terms: draft };
        let binding = match attribute(&signup, owner.as_ref(), &touches, Some(&program), self.now) {
            Ok(binding) => binding,
            Err(reason) => return refused(reason),
        };
        if let Some(referral) = binding.latest() {
            let made = self.tallies.entry(referral.referrer.clone()).or_default();
            if let Err(reason) = made.refer(most) {
                return refused(reason);
            }
        }
        self.participant(&example.referee);
        self.referees.insert(example.referee.clone(), binding);
        Ok(Step { refused: None, decisions: self.after_sign_up(example)? })
    }

    /// Decides the sign-up itself, where it can earn, and every source that had waited for it.
    fn after_sign_up(&mut self, example: &ExampleSignup) -> Result<Vec<Decided>, SimulationError> {
        let waited =
            self.sources.iter().filter(|(_, row)| row.payer.external_id.as_ref() == Some(&example.referee));
        let mut waited: Vec<_> = waited.map(|(source, row)| (paid_at(&row.state), source.clone())).collect();
        waited.sort_unstable();
        let mut decisions = Vec::new();
        if self.terms_of(example.at, example.at).draft.pays_for_sign_up() {
            decisions.extend(self.record(&example.told())?);
        }
        for (_, source) in waited {
            decisions.extend(self.settle(&source, None)?);
        }
        Ok(decisions)
    }

    /// Joins what an event says to what is known of its source, and decides it.
    fn record(&mut self, told: &Told) -> Result<Vec<Decided>, SimulationError> {
        let row = self.sources.entry(told.source.clone()).or_default();
        let state = row.state.merge(&told.state)?;
        row.payer = row.payer.merge(&Payer { external_id: told.payer.clone(), ..Payer::default() })?;
        row.state = state;
        if let Some(payer) = &told.payer {
            self.participant(payer);
        }
        self.settle(&told.source, Some(&told.state))
    }

    /// Decides a source, posts the differences, and decides what follows.
    fn settle(
        &mut self,
        source: &SourceId,
        told: Option<&SourceState>,
    ) -> Result<Vec<Decided>, SimulationError> {
        let Some(mut row) = self.sources.get(source).cloned() else { return Ok(Vec::new()) };
        let (decision, number) = self.decide(source, &row)?;
        let reason = decision.judgement.reason;
        let Decision { judgement, deltas, tallies, release } = decision;
        row.memory = judgement.memory.clone();
        let mut tallies = tallies;
        let mut lines = Vec::new();
        let mut changed = Vec::new();
        for delta in &deltas {
            let (posting, posted) = self.post(source, &row, delta, told)?;
            if delta.source == *source {
                note(&mut row.posted, delta.posted.as_ref(), posted);
            } else {
                note_posted(&mut tallies, delta, posted);
            }
            let (line, reward) = self.write(posting)?;
            lines.push(line);
            changed.push(reward);
        }
        if let (Some(number), Some(referee)) = (number, row.payer.external_id.clone()) {
            self.referee_tallies.insert((referee, number), tallies.referee);
            self.tallies.extend(tallies.recipients);
        }
        self.sources.insert(source.clone(), row);
        self.release(&release);
        let rules = judgement.rules.iter().map(|outcome| SimulatedOutcome {
            source: outcome.source.clone(),
            rule: outcome.rule.clone(),
            recipient: self.name(&outcome.recipient),
            reason: outcome.reason,
            basis: outcome.basis,
            target: outcome.target,
            counted: counted(outcome),
        });
        let rules = rules.collect();
        let variant = judgement.variant.clone();
        let mut decisions = vec![Decided { source: source.clone(), reason, variant, rules, posted: lines }];
        for reward in &changed {
            decisions.extend(self.cascade(reward)?);
        }
        Ok(decisions)
    }

    /// The decision on a source, and which of its referee's referrals it counts for.
    fn decide(&self, source: &SourceId, row: &Row) -> Result<(Decision, Option<u32>), SimulationError> {
        let binding = self.binding(row.payer.external_id.as_ref());
        let at = row.state.payment.as_ref().map(|payment| payment.paid_at);
        let judged = |at| binding.judged_at(at, row.memory.referral).ok().map(|(referral, _)| (at, referral));
        let referral = at.and_then(judged);
        let then = referral.map(|(at, referral)| ProgramThen {
            program: self.program.id.clone(),
            status: self.program.status_at(at),
            disabled: false,
            terms: self.terms_of(referral.bound_at(), at).clone(),
            counts: self.counts(),
            referee: ParticipantId::of(&self.organization, &self.program.id, &referral.referee),
        });
        let number = referral.map(|(_, referral)| referral.number);
        let referee = number
            .zip(row.payer.external_id.clone())
            .and_then(|(number, referee)| self.referee_tallies.get(&(referee, number)).cloned());
        let tallies = Tallies { referee: referee.unwrap_or_default(), recipients: self.tallies.clone() };
        let case = Case {
            source,
            state: &row.state,
            payer: &row.payer,
            binding: &binding,
            then: then.as_ref(),
            memory: &row.memory,
            tallies: &tallies,
            rate: None,
            now: self.now,
        };
        let given = |key| Some(ExchangeRate::new(key, *self.rates.get(&key.from)?));
        let rate = rate_wanted(&case).and_then(given);
        let case = Case { rate: rate.as_ref(), ..case };
        Ok((decide(&case, &row.posted)?, number))
    }

    fn post(
        &self,
        source: &SourceId,
        row: &Row,
        delta: &Delta,
        told: Option<&SourceState>,
    ) -> Result<(Posting, Posted), SimulationError> {
        let current = delta.posted.as_ref().and_then(|posted| self.rewards.get(&posted.reward));
        let referee = row.payer.external_id.clone().ok_or(PayerMismatch)?;
        let context = Context {
            program: self.program.id.clone(),
            terms_version: self.terms_of_source(row).version,
            referee,
            opens: Cause::Earned,
            takes_back: Cause::taking_back(source, told.unwrap_or(&row.state)),
            note: None,
            occurred_at: paid_at(&row.state).unwrap_or(self.now),
            recorded_at: self.now,
        };
        Ok(post(delta, current, &context)?)
    }

    /// Writes a line to the ledger; answers it and its reward as it is afterwards.
    fn write(&mut self, posting: Posting) -> Result<(SimulatedLine, Reward), SimulationError> {
        let (reward, amount) = (posting.reward().clone(), posting.amount());
        let (cause, line) = match posting {
            Posting::Open(reward) => (reward.cause, Line::Reward(reward)),
            Posting::Correct { entry, .. } => {
                self.entries.push((*entry).clone());
                (entry.cause, Line::Entry(entry))
            }
        };
        add_line(self.balances.entry(reward.participant.clone()).or_default(), &line)?;
        #[cfg(test)]
        self.lines.push(line);
        self.rewards.insert(reward.reward.clone(), reward.clone());
        let line = SimulatedLine {
            reward: reward.reward.clone(),
            rule: reward.rule.clone(),
            recipient: self.name(&reward.participant),
            amount,
            cause,
            state: reward.state,
        };
        Ok((line, reward))
    }

    /// Decides what a participant's referrer earns by what the participant earned: there is no third level.
    fn cascade(&mut self, reward: &Reward) -> Result<Vec<Decided>, SimulationError> {
        let Some(source) = reward.second_level() else { return Ok(Vec::new()) };
        let payer = self.names.get(&reward.participant).cloned();
        let referred = self.binding(payer.as_ref()).latest().is_some();
        if !self.all_terms().any(|terms| terms.draft.cascades()) || !referred {
            return Ok(Vec::new());
        }
        self.record(&Told { source, payer, state: reward.as_source() })
    }

    /// Whether recipients' rewards are counted: whether any terms ask for it.
    fn counts(&self) -> bool {
        let counts = |terms: &Terms| terms.draft.counts_by_recipient() || terms.draft.max_referrals.is_some();
        self.all_terms().any(counts)
    }

    fn all_terms(&self) -> impl Iterator<Item = &Terms> {
        self.later.iter().rev().chain([&self.terms])
    }

    /// The terms that apply to an event of `at` of a referral that was made at `bound_at`.
    fn terms_of(&self, bound_at: DateTime<Utc>, at: DateTime<Utc>) -> &Terms {
        let applicable = self.program.terms_for(&[], bound_at, at);
        let version = applicable.map_or(self.terms.version, |applicable| applicable.version);
        self.all_terms().find(|terms| terms.version == version).unwrap_or(&self.terms)
    }

    /// The terms by which a source is decided.
    fn terms_of_source(&self, row: &Row) -> &Terms {
        let binding = self.binding(row.payer.external_id.as_ref());
        let at = paid_at(&row.state).unwrap_or(self.now);
        let bound_at = binding.latest().map_or(at, |referral| referral.bound_at());
        self.terms_of(bound_at, at)
    }

    fn binding(&self, referee: Option<&ExternalId>) -> Binding {
        referee.and_then(|referee| self.referees.get(referee)).cloned().unwrap_or(Binding::Unknown)
    }

    fn participant(&mut self, external_id: &ExternalId) -> ParticipantId {
        let participant = ParticipantId::of(&self.organization, &self.program.id, external_id);
        self.names.insert(participant.clone(), external_id.clone());
        participant
    }

    fn name(&self, participant: &ParticipantId) -> String {
        self.names.get(participant).map_or_else(|| participant.to_string(), ToString::to_string)
    }

    fn code_owner(&mut self, referrer: &ExternalId) -> CodeOwner {
        CodeOwner {
            participant: self.participant(referrer),
            external_id: referrer.clone(),
            program: self.program.id.clone(),
            starts_at: None,
            ends_at: None,
            used_up: false,
        }
    }

    fn touch(&mut self, touch: &ExampleTouch) -> Touch {
        Touch {
            participant: self.participant(&touch.referrer),
            external_id: touch.referrer.clone(),
            program: self.program.id.clone(),
            code: code_of(&touch.referrer),
            at: touch.at,
        }
    }
}

fn paid_at(state: &SourceState) -> Option<DateTime<Utc>> {
    state.payment.as_ref().map(|payment| payment.paid_at)
}

/// A code to tell referrers apart.
fn code_of(referrer: &ExternalId) -> ReferralCode {
    ReferralCode::generate(referrer.as_str(), &digest("example", &[referrer.as_str()]), 0)
}

fn counted(outcome: &crate::decision::RuleOutcome) -> Counted {
    let admission = outcome.admission.as_ref();
    Counted {
        referrals: outcome.counted.or_else(|| admission.and_then(|admission| admission.referrals)),
        revenue: admission.and_then(|admission| admission.revenue),
        rewards_before: admission.and_then(|admission| admission.rewards_before),
        room: admission.and_then(|admission| admission.room),
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
pub(crate) mod stage;
#[cfg(test)]
#[path = "simulation_tests.rs"]
mod tests;
