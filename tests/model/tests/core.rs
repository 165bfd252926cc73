//! The pure core, held against the model: every tenant is a simulation, every operation a fact that it hears.

use std::collections::BTreeMap;

use domain::code::ReferralCode;
use domain::fact::{Fact, Payer};
use domain::id::{
    Channel, EventName, ExternalId, OrganizationId, ParticipantId, Processor, ProcessorRef, ProgramId,
    RewardId, SourceId, SourceKind,
};
use domain::ledger::{Cause, Reward};
use domain::money::Currency;
use domain::program::{Program, ProgramStatus, Settings, TermsPolicy};
use domain::reason::Reason;
use domain::referral::{Binding, Signup, attribute, repeat};
use domain::simulation::{Decided, ExampleSignup, ExampleTouch, Simulation, SimulationError, Step};
use domain::source::{Dispute, MergeError, Parts, Payment, PayoutFigures, Refund, RefundStatus, SourceState};
use model::Drive;
use model::model::{Place, touched_at};
use model::op::{
    Code, OUT_OF_BAND, Op, PEOPLE, Strange, Tenant, Told, Who, World, currency_of, event_of, payer_of,
    payout_of, plan_of, totals_of,
};
use model::system::{Account, Books, Figures, Found, System};
use proptest::test_runner::{Config, FailurePersistence, FileFailurePersistence};
use proptest_state_machine::{StateMachineTest as _, prop_state_machine};

// Most of what can go wrong needs few operations, and is then easy to read; some needs many.
prop_state_machine! {
    #![proptest_config(config(1))]

    #[test]
    fn the_core_gives_what_the_model_counts(sequential 1..30 => CoreDrive);
}

prop_state_machine! {
    #![proptest_config(config(100))]

    #[test]
    fn so_it_does_after_many_operations(sequential 100..200 => CoreDrive);
}

type CoreDrive = Drive<Core>;

/// Cases of an ordinary run.
const CASES: u32 = 10_000;
/// What proptest takes unless told.
const PROPTEST_DEFAULT: u32 = 256;

/// As many cases as `PROPTEST_CASES` says, and else enough to meet most of what can meet.
fn config(part: u32) -> Config {
    let told = Config::default();
    let cases = if told.cases == PROPTEST_DEFAULT { CASES } else { told.cases };
    // What failed once is tried first, from a file beside this one.
    let failure_persistence: Option<Box<dyn FailurePersistence>> =
        Some(Box::new(FileFailurePersistence::WithSource("regressions")));
    Config { cases: (cases / part).max(1), failure_persistence, ..told }
}

/// One tenant's simulation, and what it has decided.
struct Engine {
    /// Everybody's id here, in the order of [`PEOPLE`].
    people: Vec<ParticipantId>,
    terms: Vec<domain::terms::TermsDraft>,
    simulation: Simulation,
    /// Every reward, in the order of their opening.
    opened: Vec<RewardId>,
    decisions: BTreeMap<String, Decided>,
}

/// The core, for several tenants.
struct Core(Vec<Engine>);

impl System for Core {
    fn begin(world: &World) -> Self {
        let engine = |(number, tenant): (usize, &Tenant)| {
            let organization = OrganizationId::derive(&[&number.to_string()]);
            let id = ProgramId::derive(&[&number.to_string()]);
            let settings = Settings { terms_policy: tenant.policy, ..Settings::default() };
            let (first, status) = (&tenant.versions[0], ProgramStatus::Active);
            let program =
                Program::create(id.clone(), "Refer a friend".to_owned(), status, settings, first, world.now);
            let simulation = Simulation::new(organization.clone(), program, first.clone());
            let (terms, opened, decisions) = (tenant.versions.clone(), Vec::new(), BTreeMap::new());
            let of = |who| ParticipantId::of(&organization, &id, &name(who));
            let people = (0..PEOPLE.len()).map(of).collect();
            Engine { people, terms, simulation, opened, decisions }
        };
        Self(world.tenants.iter().enumerate().map(engine).collect())
    }

    fn apply(&mut self, told: &Told, aimed: Option<&Place>) -> Option<Reason> {
        if matches!(told.op, Op::Wait { .. }) {
            self.0.iter_mut().for_each(|engine| engine.simulation.advance(told.now));
            return None;
        }
        self.0[told.tenant].apply(told, aimed)
    }

    fn books(&self, tenant: usize) -> Books {
        self.0[tenant].books()
    }
}

fn name(who: Who) -> ExternalId {
    ExternalId::parse(PEOPLE[who]).unwrap()
}

fn who(name: &str) -> Who {
    PEOPLE.iter().position(|known| *known == name).unwrap()
}

fn reference(text: impl AsRef<str>) -> ProcessorRef {
    ProcessorRef::parse(text.as_ref()).unwrap()
}

impl Engine {
    fn apply(&mut self, told: &Told, aimed: Option<&Place>) -> Option<Reason> {
        self.simulation.advance(told.now);
        match &told.op {
            Op::SignUp { .. } => return self.sign_up(told),
            Op::Terms { version } => {
                let draft = self.terms[version % self.terms.len()].clone();
                self.simulation.change_terms(draft).unwrap();
            }
            Op::Pause { paused } => {
                let to = if *paused { ProgramStatus::Paused } else { ProgramStatus::Active };
                self.simulation.change_status(to).unwrap();
            }
            Op::Claim { who } => self.each(*who, |simulation, id| simulation.claim(id)),
            Op::Complete { who } => self.each(*who, |simulation, id| simulation.complete(id)),
            Op::Approve { who } => self.each(*who, |simulation, id| simulation.approve(id)),
            Op::TakeBack { amount, reject, .. } => {
                let place = aimed?;
                let standing = |reward: &&Reward| reward.net > 0 && self.place(reward) == *place;
                let id = self.simulation.rewards().find(standing).map(|reward| reward.reward.clone());
                let cause = if *reject { Cause::Rejected } else { Cause::TakenBack };
                let id = id.unwrap_or_else(|| panic!("{place:?} does not stand"));
                let decided = self.simulation.take_back(&id, *amount, cause).unwrap();
                self.note(decided.unwrap_or_default());
            }
            _ => return self.hear(told),
        }
        None
    }

    fn each(&mut self, of: Who, change: impl Fn(&mut Simulation, &RewardId) -> bool) {
        let of = &self.people[of];
        let rewards = self.simulation.rewards().filter(|reward| reward.participant == *of);
        let ids: Vec<RewardId> = rewards.map(|reward| reward.reward.clone()).collect();
        for id in ids {
            change(&mut self.simulation, &id);
        }
    }

    fn note(&mut self, decided: Vec<Decided>) {
        for decided in decided {
            let rewards = decided.posted.iter().map(|line| &line.reward);
            let new: Vec<RewardId> = rewards.filter(|id| !self.opened.contains(id)).cloned().collect();
            self.opened.extend(new);
            let source = self.source(&decided.source);
            self.decisions.insert(source, decided);
        }
    }

    fn sign_up(&mut self, told: &Told) -> Option<Reason> {
        let Op::SignUp { who, code, touches, existing, channel, .. } = &told.op else { unreachable!() };
        let channel = Channel::parse(channel).unwrap();
        if *code == Code::Unknown {
            // A simulation knows its referrers' codes: whoever would look up another finds nothing.
            let code = Some(ReferralCode::parse("NON-9999").unwrap());
            let (existing_customer, signed_up_at) = (*existing, told.at);
            let signup = Signup { referee: name(*who), code, channel, existing_customer, signed_up_at };
            return match self.simulation.referral(&name(*who)) {
                Binding::Unknown => attribute(&signup, None, &[], None, told.now).err(),
                known => repeat(&signup, &known).err(),
            };
        }
        let touch = |(index, (of, hours)): (usize, &(Who, i64))| ExampleTouch {
            referrer: name(*of),
            at: touched_at(told.at, index, *hours),
        };
        let referrer = match code {
            Code::Of(owner) => Some(name(*owner)),
            Code::None | Code::Unknown => None,
        };
        let touches = touches.iter().enumerate().map(touch).collect();
        let (referee, channel) = (name(*who), Some(channel));
        let example =
            ExampleSignup { referee, referrer, touches, channel, existing_customer: *existing, at: told.at };
        let step = self.simulation.sign_up(&example).unwrap();
        self.done(step)
    }

    fn done(&mut self, step: Step) -> Option<Reason> {
        self.note(step.decisions);
        step.refused
    }

    fn hear(&mut self, told: &Told) -> Option<Reason> {
        let (source, payer, state) = fact(told);
        let payer = payer.map(|payer| Payer::named(name(payer))).unwrap_or_default();
        match self.simulation.hear(&Fact::of(source, payer, state)) {
            Ok(step) => self.done(step),
            Err(SimulationError::Payer(_)) => Some(Reason::PayerMismatch),
            Err(SimulationError::Merge(MergeError::CurrencyMismatch { .. })) => {
                Some(Reason::CurrencyMismatch)
            }
            Err(error) => panic!("{error}: {told:?}"),
        }
    }

    /// The source of a line, as the model names it: a reward's source by what the reward is of.
    fn source(&self, source: &SourceId) -> String {
        let text = source.to_string();
        let Some(id) = text.strip_prefix("reward/own/") else { return text };
        let reward =
            |id: &str| self.simulation.rewards().find(|reward| reward.reward.as_str() == id).unwrap();
        let place = self.place(reward(id));
        // One that is opened again is another. There is no third level, so those of the second need no look.
        let earlier =
            self.opened.iter().take_while(|known| known.as_str() != id).map(|known| reward(known.as_str()));
        let first_level = earlier.filter(|known| known.source.kind != SourceKind::Reward);
        let again = first_level.filter(|known| self.place(known) == place).count();
        let Place { source, rule, who, unit } = place;
        format!("reward {source}|{rule}|{who}|{unit}|{again}")
    }

    fn place(&self, reward: &Reward) -> Place {
        Place {
            source: self.source(&reward.source),
            rule: reward.rule.as_str().to_owned(),
            who: self.who(&reward.participant),
            unit: reward.unit.code().to_owned(),
        }
    }

    fn who(&self, participant: &ParticipantId) -> Who {
        self.people.iter().position(|known| known == participant).unwrap()
    }

    fn books(&self) -> Books {
        let mut books = Books::default();
        for reward in self.simulation.rewards() {
            let later = self.simulation.entries().iter().filter(|entry| entry.reward == reward.reward);
            let lines = std::iter::once(reward.delta).chain(later.map(|entry| entry.delta)).collect();
            let (id, place) = (reward.reward.as_str().to_owned(), self.place(reward));
            books.accounts.push(Account { id, place, state: reward.state, net: reward.net, lines });
        }
        for person in 0..PEOPLE.len() {
            for (unit, figures) in self.simulation.balances(&self.people[person]).unwrap() {
                let (available, shortfall) = (figures.usable(), figures.shortfall());
                let (pending, earned, reversed) = (figures.pending, figures.earned, figures.reversed);
                let figures = Figures { available, shortfall, pending, earned, reversed };
                books.balances.insert((person, unit.code().to_owned()), figures);
            }
            match self.simulation.referral(&name(person)) {
                Binding::Unknown => {}
                Binding::Organic { .. } => drop(books.referrals.insert(person, None)),
                Binding::Bound { referral, .. } => {
                    let shares = referral.referrers().into_iter();
                    let shares = shares.map(|share| (self.who(&share.participant), share.weight)).collect();
                    books.referrals.insert(person, Some((shares, referral.signed_up_at)));
                }
            }
        }
        for (source, decided) in &self.decisions {
            let found = decided.rules.iter().map(|outcome| Found {
                rule: outcome.rule.as_str().to_owned(),
                who: who(&outcome.recipient),
                reason: outcome.reason,
                target: outcome.target.amount,
            });
            books.decisions.insert(source.clone(), (decided.reason, found.collect()));
        }
        books
    }
}

/// What is told, as the engine hears it.
fn fact(told: &Told) -> (SourceId, Option<Who>, SourceState) {
    let example = || Processor::parse("example").unwrap();
    let invoice = |number: usize| SourceId::invoice(example(), reference(format!("in_{number}")));
    let currency = |number: usize| Currency::parse(currency_of(number)).unwrap();
    let payment = |number: usize| reference(format!("pi_{number}"));
    match told.op {
        Op::Paid { invoice: number, amount, strange, .. } => {
            let payer = if strange == Strange::Payer { 2 } else { payer_of(number) };
            let currency =
                if strange == Strange::Currency { Currency::parse("CHF").unwrap() } else { currency(number) };
            let (total, total_excluding_tax) = totals_of(number).unzip();
            let state =
                SourceState::paid(currency, Payment { amount, total, total_excluding_tax, paid_at: told.at });
            let outside = (number == OUT_OF_BAND).then(|| (payment(number), amount));
            let labels = [("plan".to_owned(), [plan_of(number).to_owned()].into())].into();
            (
                invoice(number),
                Some(payer),
                SourceState { out_of_band: outside.into_iter().collect(), labels, ..state },
            )
        }
        Op::Refund { invoice: number, id, amount, status, named } => {
            let charge = named.then(|| payment(number));
            let refund = Refund { amount, status, charge };
            let state = SourceState::refund(currency(number), reference(format!("re_{id}")), refund);
            (invoice(number), None, state)
        }
        Op::Refunded { invoice: number, amount } => {
            (invoice(number), None, SourceState::refunded(currency(number), payment(number), amount))
        }
        Op::Credit { invoice: number, id, amount, void } => {
            let status = if void { RefundStatus::Failed } else { RefundStatus::Succeeded };
            let state = SourceState::credit(currency(number), reference(format!("cn_{id}")), amount, status);
            (invoice(number), None, state)
        }
        Op::Dispute { invoice: number, id, amount, status } => {
            let dispute = Dispute { amount, status, charge: Some(payment(number)) };
            let state = SourceState::dispute(currency(number), reference(format!("dp_{id}")), dispute);
            (invoice(number), None, state)
        }
        Op::Shared { invoice: number, own, other } => {
            let invoices = [(format!("in_{number}"), own), ("in_other".to_owned(), other)];
            let amounts =
                invoices.into_iter().map(|(invoice, amount)| (reference(invoice), amount)).collect();
            let parts = Parts { own: reference(format!("in_{number}")), amounts };
            let state = SourceState { parts: [(payment(number), parts)].into(), ..SourceState::default() };
            (invoice(number), None, state)
        }
        Op::Void { invoice: number } => (invoice(number), None, SourceState::void(None)),
        Op::Happened { id, amount, .. } => {
            let amount = amount.map(|amount| (amount, Currency::parse("USD").unwrap()));
            (event(id), Some(event_of(id).0), SourceState::happened(told.at, amount))
        }
        Op::Cancelled { id } => (event(id), None, SourceState::void(None)),
        Op::Payout { id, revision, .. } => {
            let (payout, profit) = payout_of(id, revision);
            let figures =
                PayoutFigures { revision, payout: Some(payout), profit: Some(profit), revenue: None };
            let state = SourceState::happened(told.at, Some((0, Currency::parse("USD").unwrap())));
            let source = SourceId::payout(example(), reference(format!("po_{id}")));
            (source, Some(event_of(id).0), SourceState { payout: Some(figures), ..state })
        }
        _ => unreachable!("{told:?}"),
    }
}

fn event(id: usize) -> SourceId {
    SourceId::event(&EventName::parse(event_of(id).1).unwrap(), reference(format!("e{id}")))
}

/// A program of one rule: anna refers u1, whose payments come so many hours after each other.
fn pays(rule: &serde_json::Value, payments: &[(i64, usize, i64)]) {
    let rules = serde_json::json!({"rules": [rule]});
    let draft = serde_json::from_value(rules).unwrap();
    let tenant = Tenant { versions: vec![draft], policy: TermsPolicy::Follow };
    let (code, touches, channel) = (Code::Of(0), Vec::new(), "form");
    let mut steps = vec![(0, Op::SignUp { who: 3, code, touches, existing: false, channel, late: 0 }, true)];
    for (hours, invoice, amount) in payments {
        steps.push((0, Op::Wait { hours: *hours }, false));
        steps.push((0, Op::Paid { invoice: *invoice, amount: *amount, strange: Strange::No, late: 0 }, true));
    }
    CoreDrive::test_sequential(config(1), World::new(vec![tenant]), steps, None);
}

// What chance meets seldom.

#[test]
fn a_month_is_over_on_its_day() {
    let rule = serde_json::json!({"id": "a", "amount": {"percentage": {"percent": "10"}},
        "limits": {"duration_months": 1}});
    pays(&rule, &[(1, 0, 1_000), (24 * 31 - 1, 2, 1_000), (1, 5, 1_000)]);
    pays(&rule, &[(1, 0, 1_000), (24 * 31, 2, 1_000)]);
}

#[test]
fn a_payment_that_grows_into_another_unit_stays_within_its_caps() {
    let steps = serde_json::json!([{"from": 0, "amount": {"fixed": {"amount": 1, "currency": "points"}}},
        {"from": 2000, "amount": {"percentage": {"percent": "20"}}}]);
    for over in ["cut", "refuse"] {
        let rule = serde_json::json!({"id": "a",
            "amount": {"tiers": {"by": "payment_amount", "currency": "USD", "steps": steps}},
            "limits": {"caps": [{"per": "day", "amount": 100, "currency": "USD", "over": over}]}});
        pays(&rule, &[(1, 0, 900), (0, 0, 5_000), (0, 2, 5_000)]);
    }
}
