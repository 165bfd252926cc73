#[path = "decision/amount_tests.rs"]
mod amount;
#[path = "decision/cascade_tests.rs"]
mod cascade;
#[path = "decision/condition_tests.rs"]
mod condition;
#[path = "decision/counter_tests.rs"]
mod counter;
#[path = "decision/invoice_tests.rs"]
mod invoice_lines;
#[path = "decision/limit_tests.rs"]
mod limit;
#[path = "decision/milestone_tests.rs"]
mod milestone;
#[path = "decision/mission_tests.rs"]
mod mission;
#[path = "decision/payout_tests.rs"]
mod payout;
#[path = "decision/reversal_tests.rs"]
mod reversal;
#[path = "decision/share_tests.rs"]
mod share;

use chrono::TimeZone as _;

use super::*;
use crate::code::ReferralCode;
use crate::id::{Channel, ExternalId, OrganizationId, ProcessorRef, RewardId};
use crate::ledger::{Cause, Context, open};
use crate::money::{Currency, Unit};
use crate::rate::RateKey;
use crate::referral::FoundBy;
use crate::source::{Earned, Payment, Refund, RefundStatus};
use crate::tally::Contribution;
use crate::terms::TermsDraft;

fn at(hours: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + hours * 3600, 0).unwrap()
}

fn bound() -> Binding {
    let program = ProgramId::derive(&["p"]);
    let external_id = ExternalId::parse("anna").unwrap();
    let referral = Referral {
        referee: ExternalId::parse("ben").unwrap(),
        number: 0,
        referrer: ParticipantId::of(&OrganizationId::derive(&["o"]), &program, &external_id),
        program,
        shares: Vec::new(),
        used_code: Some(ReferralCode::parse("ANN-2345").unwrap()),
        found_by: FoundBy::Code,
        touches: Vec::new(),
        channel: Channel::parse("sign-up").unwrap(),
        existing_customer: false,
        signed_up_at: at(0),
        assigned_at: None,
        inactive_from: None,
        recorded_at: at(0),
    };
    Binding::Bound { referral, former: Vec::new() }
}

fn then(rules: &str, status: ProgramStatus) -> ProgramThen {
    let draft: TermsDraft = serde_json::from_str(&format!(r#"{{"rules":{rules}}}"#)).unwrap();
    let terms = Terms { version: 1, effective_from: at(0), draft };
    let referee = ParticipantId::derive(&["ben"]);
    let counts = terms.draft.counts_by_recipient();
    ProgramThen { program: ProgramId::derive(&["p"]), status, disabled: false, terms, counts, referee }
}

const PERCENT: &str = r#"[{"id":"commission","amount":{"percentage":{"percent":"10"}}}]"#;
const EX_TAX: &str =
    r#"[{"id":"commission","amount":{"percentage":{"percent":"10","basis":"paid_excluding_tax"}}}]"#;
const FIXED: &str = r#"[{"id":"bounty","amount":{"fixed":{"amount":500,"currency":"EUR"}}}]"#;

fn paid(amount: i64, hours: i64) -> SourceState {
    let payment =
        Payment { amount, total: Some(11_900), total_excluding_tax: Some(10_000), paid_at: at(hours) };
    SourceState::paid(Currency::parse("USD").unwrap(), payment)
}

fn refunded(state: &SourceState, id: &str, amount: i64) -> SourceState {
    let refund = Refund { amount, status: RefundStatus::Succeeded, charge: None };
    let currency = Currency::parse("USD").unwrap();
    state.merge(&SourceState::refund(currency, ProcessorRef::parse(id).unwrap(), refund)).unwrap()
}

fn payer() -> Payer {
    Payer::named(ExternalId::parse("ben").unwrap())
}

fn invoice() -> SourceId {
    SourceId::parse("invoice/stripe/in_1").unwrap()
}

fn judgement(state: &SourceState, payer: &Payer, binding: &Binding, then: Option<&ProgramThen>) -> Judgement {
    let (source, memory, tallies) = (invoice(), Memory::default(), Tallies::default());
    let (memory, tallies) = (&memory, &tallies);
    judge(&Case { source: &source, state, payer, binding, then, memory, tallies, rate: None, now: at(2) })
        .unwrap()
}

fn judged(state: &SourceState, rules: &str) -> (Reason, i64) {
    let judgement = judgement(state, &payer(), &bound(), Some(&then(rules, ProgramStatus::Active)));
    (judgement.reason, judgement.rules.first().map_or(0, |rule| rule.target.amount))
}

#[test]
fn a_percentage_follows_what_stands_of_the_payment() {
    let state = paid(20_000, 1);
    assert_eq!(judged(&state, PERCENT), (Reason::Earned, 2_000));
    let state = refunded(&state, "re_1", 5_001);
    assert_eq!(judged(&state, PERCENT), (Reason::Earned, 1_499));
    assert_eq!(judged(&refunded(&state, "re_2", 14_999), PERCENT), (Reason::Refunded, 0));
}

#[test]
fn a_percentage_can_leave_out_the_tax() {
    assert_eq!(judged(&paid(11_900, 1), EX_TAX), (Reason::Earned, 1_000));
    // Partly paid with credit: the tax in what was paid is in proportion.
    assert_eq!(judged(&paid(5_950, 1), EX_TAX), (Reason::Earned, 500));
    assert_eq!(judged(&refunded(&paid(11_900, 1), "re_1", 5_950), EX_TAX), (Reason::Earned, 500));
}

#[test]
fn a_fixed_reward_stands_while_anything_of_the_payment_stands() {
    let state = paid(20_000, 1);
    assert_eq!(judged(&state, FIXED), (Reason::Earned, 500));
    assert_eq!(judged(&refunded(&state, "re_1", 19_999), FIXED), (Reason::Earned, 500));
    assert_eq!(judged(&refunded(&state, "re_1", 20_000), FIXED), (Reason::Refunded, 0));
}

#[test]
fn a_payment_earns_from_the_grace_before_the_sign_up_on() {
    assert_eq!(judged(&paid(20_000, -24), PERCENT).0, Reason::Earned);
    let mut early = paid(20_000, -24);
    early.payment.as_mut().unwrap().paid_at -= Duration::seconds(1);
    assert_eq!(judged(&early, PERCENT), (Reason::PaidBeforeSignup, 0));
}

#[test]
fn what_earns_nothing_says_why() {
    let judged = |state: &SourceState, payer: &Payer, binding: &Binding, status| {
        judgement(state, payer, binding, Some(&then(PERCENT, status))).reason
    };
    let (active, nobody) = (ProgramStatus::Active, Payer::default());
    let organic = Binding::Organic { signed_up_at: at(0) };
    let state = paid(20_000, 1);
    assert_eq!(judged(&SourceState::default(), &payer(), &bound(), active), Reason::AwaitingPayment);
    assert_eq!(judged(&state, &nobody, &Binding::Unknown, active), Reason::PayerUnknown);
    assert_eq!(judged(&state, &payer(), &Binding::Unknown, active), Reason::AwaitingSignup);
    assert_eq!(judged(&state, &payer(), &organic, active), Reason::NotReferred);
    assert_eq!(judged(&state, &payer(), &bound(), ProgramStatus::Paused), Reason::ProgramNotActive);
    assert_eq!(judged(&paid(0, 1), &payer(), &bound(), active), Reason::ZeroAmount);
    assert_eq!(judged(&paid(9, 1), &payer(), &bound(), active), Reason::RoundsToZero);
    let voided = SourceState { voided: true, ..paid(100, 1) };
    assert_eq!(judged(&voided, &payer(), &bound(), active), Reason::Voided);
    assert_eq!(judgement(&state, &payer(), &bound(), None).reason, Reason::ProgramNotActive);
}

#[test]
fn only_the_difference_is_posted() {
    let judgement =
        judgement(&paid(20_000, 1), &payer(), &bound(), Some(&then(PERCENT, ProgramStatus::Active)));
    let source = invoice();
    let first = deltas(&judgement, &source, &[]).unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].amount.to_string(), "20.00 USD");
    let rule = &judgement.rules[0];
    let posted = Posted {
        rule: rule.rule.clone(),
        recipient: rule.recipient.clone(),
        program: ProgramId::derive(&["p"]),
        amount: 2_000,
        unit: rule.target.unit,
        reward: RewardId::of(&rule.recipient, at(1), &source, &rule.rule, rule.target.unit, 0),
        generation: 0,
        entries: 1,
        taken: 0,
        closed: false,
        hands: Vec::new(),
    };
    assert!(deltas(&judgement, &source, std::slice::from_ref(&posted)).unwrap().is_empty());
    let nothing = Judgement { rules: Vec::new(), ..judgement };
    assert_eq!(deltas(&nothing, &source, &[posted]).unwrap()[0].amount.amount, -2_000);
}

#[test]
fn what_was_paid_elsewhere_earns_nothing_unless_the_terms_say_so() {
    let mut state = paid(20_000, 1);
    state.out_of_band = [(ProcessorRef::parse("rec_1").unwrap(), 5_000)].into();
    assert_eq!(judged(&state, PERCENT), (Reason::Earned, 1_500));
    state.out_of_band = [(ProcessorRef::parse("rec_1").unwrap(), 20_000)].into();
    let judgement = judgement(&state, &payer(), &bound(), Some(&then(FIXED, ProgramStatus::Active)));
    assert_eq!((judgement.reason, judgement.terms_version), (Reason::OutOfBand, Some(1)));
}

#[test]
fn a_second_level_waits_for_nobody_and_stays_within_its_program() {
    let reward = RewardId::parse(&format!("rwd_{}", "0".repeat(46))).unwrap();
    let (source, memory, tallies) = (SourceId::reward(&reward), Memory::default(), Tallies::default());
    let then = then(PERCENT, ProgramStatus::Active);
    let reason = |program: ProgramId, binding: &Binding, payer: &Payer| {
        let unit = Unit::Currency(Currency::parse("USD").unwrap());
        let earned = Earned { lines: 1, gross: 20_000, net: 20_000, unit, program };
        let state = SourceState { earned: Some(earned), ..paid(20_000, 1) };
        let (memory, tallies) = (&memory, &tallies);
        let case = Case {
            source: &source,
            state: &state,
            payer,
            binding,
            then: Some(&then),
            memory,
            tallies,
            rate: None,
            now: at(2),
        };
        judge(&case).unwrap().reason
    };
    let (own, other) = (ProgramId::derive(&["p"]), ProgramId::derive(&["q"]));
    assert_eq!(reason(own.clone(), &Binding::Unknown, &payer()), Reason::NotReferred);
    assert_eq!(reason(own.clone(), &Binding::Unknown, &Payer::default()), Reason::NotReferred);
    assert_eq!(reason(other, &bound(), &payer()), Reason::NotReferred);
    assert_ne!(reason(own, &bound(), &payer()), Reason::NotReferred);
}

#[test]
fn a_reward_that_opened_with_nothing_earns_no_second_level() {
    let reward = RewardId::parse(&format!("rwd_{}", "0".repeat(46))).unwrap();
    for (gross, expected) in [(0, false), (1, true)] {
        let (unit, program) = (Unit::Currency(Currency::parse("USD").unwrap()), ProgramId::derive(&["p"]));
        let earned = Some(Earned { lines: 1, gross, net: gross, unit, program });
        let state = SourceState { earned, ..paid(20_000, 1) };
        let draft = then(PERCENT, ProgramStatus::Active).terms.draft;
        assert_eq!(value::has_substance(&SourceId::reward(&reward), &state, &draft), expected, "{gross}");
    }
}

#[test]
fn a_rate_is_asked_for_where_an_active_rule_takes_something_of_the_payment_and_nowhere_else() {
    let (source, state, memory, tallies) =
        (invoice(), paid(20_000, 1), Memory::default(), Tallies::default());
    let wanted = |rule: &str, payout: &str| {
        let mut then = then(&format!("[{{\"id\":\"commission\",{rule}}}]"), ProgramStatus::Active);
        then.terms.draft.payout_currency = Some(Currency::parse(payout).unwrap());
        let (binding, payer) = (bound(), payer());
        rate_wanted(&Case {
            source: &source,
            state: &state,
            payer: &payer,
            binding: &binding,
            then: Some(&then),
            memory: &memory,
            tallies: &tallies,
            rate: None,
            now: at(2),
        })
    };
    let share = r#""amount":{"percentage":{"percent":"10"}}"#;
    let list = r#""amount":{"per_currency":{"USD":500}}"#;
    let sum = r#""amount":{"fixed":{"amount":500,"currency":"EUR"}}"#;
    let tiers = |amount: &str| {
        let steps = format!(r#"[{{"from":0,{sum}}},{{"from":9,{amount}}}]"#);
        format!(r#""amount":{{"tiers":{{"by":"payment_amount","currency":"USD","steps":{steps}}}}}"#)
    };
    for (rule, expected) in [
        (share.to_owned(), true),
        (list.to_owned(), true),
        (tiers(share), true),
        (tiers(sum), false),
        (sum.to_owned(), false),
        (format!("{share},\"status\":\"paused\""), false),
        (format!("{share},\"trigger\":{{\"custom\":\"approved\"}}"), false),
    ] {
        assert_eq!(wanted(&rule, "EUR").is_some(), expected, "{rule}");
    }
    assert_eq!(wanted(share, "USD"), None);
    let (from, to) = (Currency::parse("USD").unwrap(), Currency::parse("EUR").unwrap());
    assert_eq!(wanted(share, "EUR"), Some(RateKey { from, to, day: at(1).date_naive() }));
}

#[test]
fn what_turns_out_to_be_older_than_its_assignment_counts_no_more() {
    let Binding::Bound { referral, .. } = bound() else { panic!("nobody is bound") };
    let anna = referral.referrer.clone();
    let removed = Referral {
        referrer: ParticipantId::derive(&["lena"]),
        assigned_at: Some(at(-9)),
        inactive_from: Some(at(-5)),
        ..referral.clone()
    };
    let referral = Referral { number: 1, assigned_at: Some(at(0)), ..referral };
    let binding = Binding::Bound { referral, former: vec![removed] };
    let rules = r#"[{"id":"commission","amount":{"percentage":{"percent":"10"}}},
        {"id":"bonus","trigger":"referral_count","amount":{"milestones":{"on_drop":"revoke",
            "steps":[{"at":1,"amount":700,"currency":"USD"}]}}}]"#;
    let then = then(rules, ProgramStatus::Active);
    let (source, payer) = (invoice(), payer());
    let decided = |state: &SourceState, memory: &Memory, tallies: &Tallies, posted: &[Posted]| {
        let (source, payer, binding, then) = (&source, &payer, &binding, Some(&then));
        let case = Case { source, state, payer, binding, then, memory, tallies, rate: None, now: at(2) };
        decide(&case, posted).unwrap()
    };
    let amounts = |decision: &Decision| -> Vec<i64> {
        decision.deltas.iter().map(|delta| delta.amount.amount).collect()
    };
    let state = paid(20_000, 1);
    let first = decided(&state, &Memory::default(), &Tallies::default(), &[]);
    assert_eq!((amounts(&first), first.tallies.recipients[&anna].qualified), (vec![2_000, 700], 1));
    let (mut posted, mut tallies) = (Vec::new(), first.tallies);
    for delta in &first.deltas {
        let context = Context {
            program: then.program.clone(),
            terms_version: 1,
            referee: ExternalId::parse("ben").unwrap(),
            opens: Cause::Earned,
            takes_back: Cause::Correction,
            note: None,
            occurred_at: at(1),
            recorded_at: at(2),
        };
        let (_, after) = open(delta, &context);
        if delta.source == source { posted.push(after) } else { note_posted(&mut tallies, delta, after) }
    }
    let state = state.merge(&paid(20_000, -1)).unwrap();
    let second = decided(&state, &first.judgement.memory, &tallies, &posted);
    assert_eq!((second.judgement.reason, amounts(&second)), (Reason::ReferralInactive, vec![-700, -2_000]));
    let counted = &second.tallies.recipients[&anna];
    let revenue: i64 = counted.revenue.values().sum();
    assert_eq!((second.tallies.referee.standing, counted.qualified, revenue), (0, 0, 0));
    assert_eq!(counted.earned.values().sum::<i64>(), 0);
    assert_eq!(second.judgement.memory.contribution, Contribution::default());
    // What never counted says why, and counts nothing.
    for (hours, reason) in [(-1, Reason::ReferralInactive), (-20, Reason::PaidBeforeAssignment)] {
        let never = decided(&paid(20_000, hours), &Memory::default(), &Tallies::default(), &[]);
        assert_eq!((never.judgement.reason, amounts(&never)), (reason, vec![]));
        assert_eq!(never.tallies, Tallies::default());
    }
}
