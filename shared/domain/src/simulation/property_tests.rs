//! What holds of every program and every list of events, as far as chance can tell.

mod any;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::stage::{Stage, day};
use super::*;
use crate::audit::{self, Finding, Ledger, SourceCase, Standing};
use crate::decision::RuleOutcome;
use crate::id::RuleId;
use crate::id::SourceKind;
use crate::ledger::{Failure, Note, RewardState};
use crate::money::Unit;
use crate::reason::Reason;
use crate::tally::period_of;
use crate::terms::{
    Attribution, AttributionModel, CapPeriod, OnDrop, Precedence, RewardRule, RuleAmount, TierAmount, Trigger,
};

use any::{Draft, Events, any_events, any_terms, invoice_name, plain_terms};

type Place = (SourceId, RuleId, ParticipantId, Unit);

/// What stands of every reward, by what earned it.
fn nets(simulation: &Simulation) -> BTreeMap<Place, i64> {
    let mut nets = BTreeMap::new();
    for reward in simulation.rewards.values() {
        let place = (reward.source.clone(), reward.rule.clone(), reward.participant.clone(), reward.unit);
        *nets.entry(place).or_insert(0) += reward.net;
    }
    nets.retain(|_, net| *net != 0);
    nets
}

/// The same without the ids of the rewards that second levels come from: those hold the time of writing.
fn nets_by_rule(simulation: &Simulation) -> BTreeMap<(String, RuleId, ParticipantId, Unit), i64> {
    let mut sums = BTreeMap::new();
    for ((source, rule, participant, unit), net) in nets(simulation) {
        let from = if source.kind == SourceKind::Reward { "reward".to_owned() } else { source.to_string() };
        *sums.entry((from, rule, participant, unit)).or_insert(0) += net;
    }
    sums
}

fn is_share(rule: &RewardRule) -> bool {
    match &rule.amount {
        Some(RuleAmount::Percentage(share)) => !share.over_100,
        Some(RuleAmount::Tiers(tiers)) => tiers
            .steps
            .iter()
            .all(|step| matches!(&step.amount, TierAmount::Percentage(share) if !share.over_100)),
        _ => false,
    }
}

/// The rule's parts of one source together are no more than what they are taken of, and than the most of one reward.
fn check_amounts(simulation: &Simulation, decided: &Decided) -> Result<(), TestCaseError> {
    for rule in &simulation.terms.draft.rules {
        let of_rule: Vec<_> = decided.rules.iter().filter(|outcome| outcome.rule == rule.id).collect();
        if rule.trigger == Trigger::ReferralCount {
            continue;
        }
        let sum: i64 = of_rule.iter().map(|outcome| outcome.target.amount).sum();
        prop_assert!(of_rule.iter().all(|outcome| outcome.target.amount >= 0));
        if is_share(rule) {
            prop_assert!(
                sum <= of_rule.iter().map(|outcome| outcome.basis).max().unwrap_or(0),
                "{decided:?}"
            );
        }
        for outcome in &of_rule {
            let most = rule.limits.at_most.iter().find(|most| most.unit == outcome.target.unit);
            prop_assert!(most.is_none_or(|most| sum <= most.amount), "{decided:?}");
            prop_assert!(
                outcome.counted.room.is_none_or(|room| outcome.target.amount <= room),
                "{decided:?}"
            );
        }
    }
    Ok(())
}

/// What every rule has been given room for, by period of each cap.
#[derive(Default)]
struct Rooms {
    by_source: BTreeMap<Place, i64>,
    by_period: BTreeMap<(RuleId, String, CapPeriod, String), i64>,
}

impl Rooms {
    /// Adds what a decision gave room for, and holds it against the caps.
    fn check(&mut self, simulation: &Simulation, decided: &Decided) -> Result<(), TestCaseError> {
        for outcome in decided.rules.iter().filter(|outcome| outcome.source == decided.source) {
            let rule = simulation.terms.draft.rules.iter().find(|rule| rule.id == outcome.rule).unwrap();
            let refused = !matches!(
                outcome.reason,
                Reason::Earned
                    | Reason::Refunded
                    | Reason::Disputed
                    | Reason::Voided
                    | Reason::RoundsToZero
                    | Reason::TakenBack
                    | Reason::Cancelled
            );
            let Some(room) = outcome.counted.room.filter(|_| !refused) else { continue };
            let unit = outcome.target.unit;
            let participant = ParticipantId::derive(&[&outcome.recipient]);
            let place = (outcome.source.clone(), outcome.rule.clone(), participant, unit);
            let before = self.by_source.insert(place, room).unwrap_or(0);
            for cap in rule.limits.caps.iter().filter(|cap| cap.currency == unit) {
                let period = period_of(cap.per, simulation.now);
                let key = (rule.id.clone(), outcome.recipient.clone(), cap.per, period);
                let sum = self.by_period.entry(key).or_insert(0);
                *sum += room - before;
                prop_assert!(*sum <= cap.amount, "{sum} of {cap:?}: {outcome:?}");
            }
        }
        Ok(())
    }
}

/// What stands in the ledger is what was decided last, is never below zero, and never above a cap of all time.
fn check_ledger(simulation: &Simulation, last: &BTreeMap<SourceId, Decided>) -> Result<(), TestCaseError> {
    let nets = nets(simulation);
    let mut targets: BTreeMap<Place, i64> = BTreeMap::new();
    for decided in last.values() {
        for outcome in decided.rules.iter().filter(|outcome| outcome.source == decided.source) {
            let name = ExternalId::parse(&outcome.recipient).unwrap();
            let participant = ParticipantId::of(&simulation.organization, &simulation.program.id, &name);
            let place = (outcome.source.clone(), outcome.rule.clone(), participant, outcome.target.unit);
            targets.insert(place, outcome.target.amount);
        }
    }
    targets.retain(|_, target| *target != 0);
    let of_events: BTreeMap<Place, i64> = nets
        .iter()
        .filter(|((source, ..), _)| source.kind != SourceKind::Milestone)
        .map(|(p, n)| (p.clone(), *n))
        .collect();
    prop_assert_eq!(of_events, targets);
    prop_assert!(simulation.rewards.values().all(|reward| reward.net >= 0));
    for rule in &simulation.terms.draft.rules {
        for cap in rule.limits.caps.iter().filter(|cap| cap.per == CapPeriod::AllTime) {
            let mut sums: BTreeMap<&ParticipantId, i64> = BTreeMap::new();
            for ((_, of, participant, unit), net) in &nets {
                if *of == rule.id && *unit == cap.currency {
                    *sums.entry(participant).or_insert(0) += net;
                }
            }
            prop_assert!(sums.values().all(|sum| *sum <= cap.amount));
        }
    }
    Ok(())
}

/// How many referees of each participant have a paid invoice that stands: counted here from scratch.
fn qualified(simulation: &Simulation) -> BTreeMap<ParticipantId, u32> {
    let mut standing: BTreeSet<(ParticipantId, ExternalId)> = BTreeSet::new();
    for (source, row) in &simulation.sources {
        let Some(payment) = row.state.payment.as_ref().filter(|payment| payment.amount > 0) else { continue };
        let binding = simulation.binding(row.payer.external_id.as_ref());
        let Some(referral) = binding.latest().filter(|_| source.kind == SourceKind::Invoice) else {
            continue;
        };
        let grace = chrono::Duration::hours(i64::from(simulation.terms.draft.grace_hours));
        if row.state.stands() && payment.paid_at >= referral.signed_up_at - grace {
            standing.extend(
                referral.referrers().into_iter().map(|share| (share.participant, referral.referee.clone())),
            );
        }
    }
    let mut counts = BTreeMap::new();
    for (participant, _) in standing {
        *counts.entry(participant).or_insert(0) += 1;
    }
    counts
}

/// A milestone is awarded at most once, for as many referrals as it asks, and is revoked only where it may be.
fn check_milestones(
    simulation: &Simulation,
    nets_before: &BTreeMap<Place, i64>,
) -> Result<(), TestCaseError> {
    let draft = &simulation.terms.draft;
    let counts = qualified(simulation);
    if draft.counts_referrals() {
        for (participant, tally) in &simulation.tallies {
            prop_assert_eq!(tally.qualified, counts.get(participant).copied().unwrap_or(0));
        }
    }
    let nets = nets(simulation);
    for rule in &draft.rules {
        let Some(RuleAmount::Milestones(list)) = &rule.amount else { continue };
        for step in &list.steps {
            for participant in simulation.names.keys() {
                let source = SourceId::milestone(&rule.id, step.at);
                let place = (source, rule.id.clone(), participant.clone(), step.currency);
                let (net, was) = (nets.get(&place).copied(), nets_before.get(&place).copied());
                let reached = counts.get(participant).is_some_and(|count| *count >= step.at);
                prop_assert!(net.is_none_or(|net| net == step.amount), "awarded once: {net:?}");
                prop_assert!(was.is_some() || net.is_none() || reached, "awarded too early");
                match list.on_drop {
                    OnDrop::Revoke => prop_assert_eq!(net.is_some(), reached),
                    OnDrop::Keep => prop_assert!(was.is_none() || net.is_some(), "taken though it is kept"),
                }
            }
        }
    }
    Ok(())
}

fn own(outcomes: &[RuleOutcome], source: &SourceId) -> Vec<RuleOutcome> {
    outcomes.iter().filter(|outcome| outcome.source == *source).cloned().collect()
}

/// Deciding every source again posts nothing and says the same, whatever has been counted since.
fn check_replay(simulation: &Simulation, last: &BTreeMap<SourceId, Decided>) -> Result<(), TestCaseError> {
    let mut moved = simulation.clone();
    for tally in moved.tallies.values_mut() {
        tally.qualified += 7;
        tally.qualified_peak += 7;
        for sum in tally.revenue.values_mut().chain(tally.revenue_peak.values_mut()) {
            *sum += 1_000_000;
        }
        for counted in tally.rules.values_mut() {
            counted.enrolled += 3;
            for spent in counted.spent.values_mut() {
                spent.amounts.values_mut().for_each(|amount| *amount += 1_000_000);
            }
        }
    }
    for tally in moved.referee_tallies.values_mut() {
        tally.standing += 1;
        tally.rewards.values_mut().for_each(|count| *count += 2);
        for first in [&mut tally.first_payment, &mut tally.first_invoice].into_iter().flatten() {
            (first.source, first.at) = (SourceId::signup(&ExternalId::parse("other").unwrap()), day(-400));
        }
    }
    for (source, row) in &simulation.sources {
        let (again, _) = simulation.decide(source, row).unwrap();
        prop_assert_eq!(&again.deltas, &[], "{}", source);
        prop_assert_eq!(&again.judgement.memory, &row.memory);
        let (later, _) = moved.decide(source, row).unwrap();
        let posts = later.deltas.iter().any(|delta| delta.source == *source);
        prop_assert!(!posts, "{source}: {:?}", later.deltas);
        let (now, then) = (own(&again.judgement.rules, source), own(&later.judgement.rules, source));
        prop_assert_eq!(&now, &then);
        let told = last.get(source).map(|decided| decided.rules.iter().filter(|rule| rule.source == *source));
        let told: Vec<_> =
            told.into_iter().flatten().map(|rule| (&rule.rule, rule.reason, rule.target)).collect();
        let now: Vec<_> = now.iter().map(|rule| (&rule.rule, rule.reason, rule.target)).collect();
        prop_assert_eq!(now, told);
    }
    Ok(())
}

/// What becomes of every reward that can be delivered.
#[derive(Debug, Clone, Copy)]
enum Delivery {
    Begins,
    Ends,
    Fails,
    IsTriedAgain,
}

fn any_delivery() -> impl Strategy<Value = Option<Delivery>> {
    use Delivery::{Begins, Ends, Fails, IsTriedAgain};
    prop::option::of(prop::sample::select(vec![Begins, Ends, Ends, Fails, IsTriedAgain]))
}

fn deliver(simulation: &mut Simulation, delivery: Delivery) {
    let now = simulation.now;
    let note = Note { actor: "Anna".to_owned(), reason: "once more".to_owned() };
    for reward in simulation.rewards.values_mut() {
        let is_under_way = reward.state == RewardState::Fulfilling;
        match delivery {
            Delivery::Begins if reward.state == RewardState::Approved => {
                reward.state = RewardState::Fulfilling
            }
            Delivery::Ends if is_under_way || reward.state == RewardState::Approved => {
                *reward = reward.completed(None, 0, now);
            }
            Delivery::Fails if is_under_way => {
                *reward = reward.failed(Failure::new("refused", "", now), None)
            }
            Delivery::IsTriedAgain if reward.state == RewardState::Failed => {
                *reward = reward.retried(&note, now)
            }
            Delivery::Begins | Delivery::Ends | Delivery::Fails | Delivery::IsTriedAgain => {}
        }
    }
}

/// The ledger as it is stored: rewards as they are now, corrections as they were written.
fn lines_of(simulation: &Simulation) -> Vec<Line> {
    let now = |line: &Line| match line {
        Line::Reward(reward) => Line::Reward(Box::new(simulation.rewards[&reward.reward].clone())),
        Line::Entry(_) | Line::Redemption(_) => line.clone(),
    };
    simulation.lines.iter().map(now).collect()
}

/// What the self-check finds in ledgers.
fn audit_ledgers(lines: &[Line]) -> Vec<Finding> {
    let mut ledgers: BTreeMap<ParticipantId, Ledger> = BTreeMap::new();
    for line in lines {
        let participant = line.participant();
        let new = || Ledger::new(participant.clone(), true);
        ledgers.entry(participant.clone()).or_insert_with(new).line(line.clone()).unwrap();
    }
    ledgers.values().flat_map(Ledger::findings).collect()
}

/// What the self-check finds in sources, and in the milestones of those whom they concern.
fn audit_sources(simulation: &Simulation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, row) in &simulation.sources {
        let (decision, _) = simulation.decide(id, row).unwrap();
        let rewards: Vec<Reward> =
            simulation.rewards.values().filter(|reward| reward.source == *id).cloned().collect();
        let first = RewardId::parse(id.reference.as_str()).ok();
        let first = first.and_then(|first| simulation.rewards.get(&first));
        findings.extend(audit::source(&SourceCase {
            source: id,
            posted: &row.posted,
            rewards: &rewards,
            given: None,
            standing: Standing::Settled,
            decision: Some(&decision),
            earned: row.state.earned.as_ref().zip(first),
        }));
    }
    for reward in simulation.rewards.values().filter(|reward| reward.source.kind == SourceKind::Milestone) {
        let awarded = &simulation.tallies[&reward.participant].milestones;
        findings.extend(audit::milestone(&reward.participant, awarded, reward));
    }
    findings
}

/// What is left when everything that was paid goes back.
fn check_full_refund(mut stage: Stage) -> Result<(), TestCaseError> {
    let paid: Vec<_> = stage
        .0
        .sources
        .iter()
        .filter(|(source, _)| source.kind == SourceKind::Invoice)
        .map(|(source, row)| {
            (source.reference.to_string(), row.state.payment.as_ref().map_or(0, |paid| paid.amount))
        })
        .collect();
    for (invoice, amount) in paid {
        stage.apply(&json!({"type": "refund", "invoice": invoice, "refund": "re_all", "amount": amount, "at": day(90)}));
    }
    let of_invoice = |source: &SourceId| {
        // A second-level reward is of an invoice when the reward that it is taken of is.
        let first = RewardId::parse(source.reference.as_str()).ok().and_then(|id| stage.0.rewards.get(&id));
        first.map_or(source.kind, |first| first.source.kind) == SourceKind::Invoice
    };
    for reward in stage.0.rewards.values().filter(|reward| of_invoice(&reward.source)) {
        prop_assert_eq!(reward.net, 0, "{:?}", reward);
    }
    Ok(())
}

/// A program in which one EUR is always worth so little of a USD that a share stays below what it is taken of.
fn begin(draft: TermsDraft) -> Stage {
    let rates =
        [("EUR", "0.7321")].map(|(code, rate)| (Currency::parse(code).unwrap(), Rate::parse(rate).unwrap()));
    Stage(stage::simulation(draft).with_rates(rates.into()))
}

fn run(draft: &TermsDraft, events: &[Value]) -> Stage {
    let mut stage = begin(draft.clone());
    for event in events {
        stage.apply(event);
    }
    stage
}

proptest! {
    #[test]
    fn amounts_caps_milestones_and_the_ledger_hold_after_every_event(Draft(draft) in any_terms(), events in any_events()) {
        let mut stage = begin(draft);
        let (mut rooms, mut last) = (Rooms::default(), BTreeMap::new());
        for event in events.in_order() {
            let before = nets(&stage.0);
            let step = stage.apply(&event);
            for decided in step.decisions {
                check_amounts(&stage.0, &decided)?;
                rooms.check(&stage.0, &decided)?;
                last.insert(decided.source.clone(), decided);
            }
            check_ledger(&stage.0, &last)?;
            check_milestones(&stage.0, &before)?;
        }
        check_replay(&stage.0, &last)?;
        check_full_refund(stage)?;
    }

    #[test]
    fn a_failed_refund_and_a_won_dispute_restore_exactly(
        Draft(draft) in any_terms(),
        events in any_events(),
        invoice in 0..6_usize,
        amount in 1..6_000_i64,
        disputed in any::<bool>(),
    ) {
        // A milestone that is revoked and reached again has the moment that its payment has by then.
        let events = if draft.cascades() { events.with_one_moment_each() } else { events };
        let mut stage = run(&draft, &events.in_order());
        let before = nets_by_rule(&stage.0);
        let statuses = if disputed { ["open", "won"] } else { ["pending", "failed"] };
        for status in statuses {
            let (kind, id) = if disputed { ("dispute", "dp_new") } else { ("refund", "re_new") };
            stage.apply(&json!({"type": kind, "invoice": invoice_name(invoice), kind: id, "amount": amount,
                "status": status, "at": day(80)}));
        }
        prop_assert_eq!(nets_by_rule(&stage.0), before);
    }

    #[test]
    fn without_counters_any_order_with_duplicates_ends_in_the_same_ledger(
        Draft(draft) in plain_terms(),
        events in any_events(),
        order in prop::collection::vec(any::<Index>(), 0..20),
        places in prop::collection::vec(any::<Index>(), 5),
    ) {
        let events = if draft.cascades() { events.with_one_moment_each() } else { events };
        let expected = nets_by_rule(&run(&draft, &events.in_order()).0);
        let Events { sign_ups, others } = events;
        // Some twice and out of order, then everything backwards; the sign-ups, in order, anywhere among them.
        let mut shuffled: Vec<Value> = order.iter().filter(|_| !others.is_empty()).map(|at| at.get(&others).clone()).collect();
        shuffled.extend(others.iter().rev().cloned());
        let mut at = 0;
        for (sign_up, place) in sign_ups.into_iter().zip(places) {
            if !draft.cascades() {
                at += place.index(shuffled.len() + 1 - at);
            }
            shuffled.insert(at, sign_up);
            at += 1;
        }
        prop_assert_eq!(nets_by_rule(&run(&draft, &shuffled).0), expected);
    }

    #[test]
    fn shares_sum_to_exactly_what_one_referrer_would_get(Draft(draft) in plain_terms(), events in any_events()) {
        let totals = |model: AttributionModel| {
            let attribution = Attribution { model, precedence: Precedence::Link, ..Attribution::default() };
            let mut draft = TermsDraft { attribution, ..draft.clone() };
            draft.rules.retain(|rule| rule.trigger != Trigger::RewardEarned);
            let simulation = run(&draft, &events.in_order()).0;
            let mut totals: BTreeMap<(SourceId, RuleId, Unit), i64> = BTreeMap::new();
            for ((source, rule, _, unit), net) in nets(&simulation) {
                *totals.entry((source, rule, unit)).or_insert(0) += net;
            }
            totals
        };
        let whole = totals(AttributionModel::FirstTouch);
        for model in [AttributionModel::Linear, AttributionModel::TimeDecay, AttributionModel::PositionBased] {
            prop_assert_eq!(&totals(model), &whole);
        }
    }

    #[test]
    fn the_self_check_finds_nothing_in_sound_books_and_every_changed_figure(
        Draft(draft) in any_terms(),
        events in any_events(),
        deliveries in prop::collection::vec(any_delivery(), 40),
        place in any::<Index>(),
        change in prop_oneof![-500..=-1_i64, 1..=500_i64],
    ) {
        let mut stage = begin(draft);
        for (event, delivery) in events.in_order().iter().zip(deliveries.into_iter().cycle()) {
            stage.apply(event);
            if let Some(delivery) = delivery {
                deliver(&mut stage.0, delivery);
            }
            prop_assert_eq!(audit_ledgers(&lines_of(&stage.0)), vec![]);
            prop_assert_eq!(audit_sources(&stage.0), vec![]);
        }
        let mut lines = lines_of(&stage.0);
        if lines.is_empty() {
            return Ok(());
        }
        match place.get_mut(&mut lines) {
            Line::Reward(reward) => reward.delta += change,
            Line::Entry(entry) => entry.delta += change,
            Line::Redemption(_) => unreachable!("nothing is spent here"),
        }
        prop_assert!(!audit_ledgers(&lines).is_empty());
        let named = |row: &Row| row.posted.len();
        let posted: usize = stage.0.sources.values().map(named).sum();
        if posted > 0 {
            let mut all = stage.0.sources.values_mut().flat_map(|row| row.posted.iter_mut());
            all.nth(place.index(posted)).unwrap().amount += change;
            prop_assert!(!audit_sources(&stage.0).is_empty());
        }
    }

    #[test]
    fn the_same_events_lead_to_the_same_steps(Draft(draft) in any_terms(), events in any_events()) {
        let steps = || {
            let mut stage = begin(draft.clone());
            events.in_order().iter().map(|event| stage.apply(event)).collect::<Vec<Step>>()
        };
        prop_assert_eq!(steps(), steps());
    }
}
