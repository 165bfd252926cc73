use chrono::{Duration, TimeZone as _};

use super::*;
use crate::decision::Judgement;
use crate::id::ProgramId;
use crate::ledger::sample::{context, delta};
use crate::ledger::{Cause, Context, Delta, Line, Posting, Promise, RewardState, post};
use crate::money::Unit;
use crate::report::DayLine;
use crate::tally::{Memory, Tallies};

fn usd() -> Unit {
    Unit::parse("USD").unwrap()
}

fn at(minute: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 0, 0, 0).unwrap() + Duration::minutes(minute)
}

fn anna() -> ParticipantId {
    ParticipantId::derive(&["anna"])
}

fn invoice_source() -> SourceId {
    SourceId::parse("invoice/stripe/in_1").unwrap()
}

/// A difference of one rule of one source of Anna's, at a minute.
fn posting(posted: Option<&Posted>, reward: Option<&Reward>, amount: i64, minute: i64) -> (Posting, Posted) {
    let delta = Delta { recipient: anna(), ..delta(amount, posted.cloned(), Promise::default()) };
    let context = Context { occurred_at: at(0), ..context(at(minute)) };
    post(&delta, reward, &context).unwrap()
}

/// A reward of 20.00, delivered, with a clawback of 5.00; with what is posted of it.
fn book() -> (Reward, crate::ledger::Entry, Posted) {
    let (opened, posted) = posting(None, None, 2_000, 1);
    let mut reward = opened.reward().clone();
    (reward.state, reward.settled, reward.available) = (RewardState::Fulfilled, true, 2_000);
    reward.fulfilled_at = Some(at(2));
    let (corrected, posted) = posting(Some(&posted), Some(&reward), -500, 30);
    let Posting::Correct { entry, reward, .. } = corrected else { panic!("no correction") };
    (*reward, *entry, posted)
}

fn audit(lines: &[Line]) -> Vec<Finding> {
    let mut ledger = Ledger::new(anna(), true);
    lines.iter().for_each(|line| ledger.line(line.clone()).unwrap());
    ledger.findings()
}

fn lines(reward: &Reward, entry: &crate::ledger::Entry) -> Vec<Line> {
    vec![Line::Reward(Box::new(reward.clone())), Line::Entry(Box::new(entry.clone()))]
}

#[test]
fn a_sound_ledger_has_no_finding() {
    let (reward, entry, _) = book();
    assert_eq!(audit(&lines(&reward, &entry)), []);
    assert_eq!(audit(&[]), []);
}

#[test]
fn every_figure_of_a_reward_that_its_lines_do_not_say_is_found() {
    let (sound, entry, _) = book();
    type Change = fn(&mut Reward);
    let changes: [(&str, Change); 8] = [
        ("what stands of it", |reward| reward.net += 1),
        ("what stands of it", |reward| reward.lines += 1),
        ("what stands of it", |reward| reward.delta -= 1),
        ("what is to be delivered", |reward| reward.payable -= 1),
        ("what was delivered", |reward| reward.available += 1),
        ("what was delivered", |reward| reward.settled = false),
        ("its state", |reward| reward.state = RewardState::Approved),
        ("its state", |reward| reward.state = RewardState::Reversed),
    ];
    for (about, change) in changes {
        let mut reward = sound.clone();
        change(&mut reward);
        let found = audit(&lines(&reward, &entry));
        let is_it = |finding: &Finding| finding.code == FindingCode::RewardMismatch && finding.about == about;
        assert!(found.iter().any(is_it), "{about}: {found:?}");
        assert!(found.iter().all(|finding| finding.row == format!("reward/{}", reward.reward)));
    }
}

#[test]
fn corrections_that_do_not_fit_are_found() {
    let (reward, sound, _) = book();
    let changes: [fn(&mut crate::ledger::Entry); 3] =
        [|entry| entry.delta += 1, |entry| entry.available = -1, |entry| entry.number = 2];
    for change in changes {
        let mut entry = sound.clone();
        change(&mut entry);
        assert_ne!(audit(&lines(&reward, &entry)), []);
    }
    let [reward_line, entry_line] = <[Line; 2]>::try_from(lines(&reward, &sound)).unwrap();
    assert_ne!(audit(&[reward_line]), [], "a correction is gone");
    assert_eq!(audit(&[entry_line])[0].about, "the reward", "the reward is gone");
}

#[test]
fn a_balance_that_is_not_the_sum_of_the_lines_is_found() {
    let (reward, entry, _) = book();
    let mut sound = Ledger::new(anna(), true);
    let mut wrong = Ledger::new(anna(), true);
    for line in lines(&reward, &entry) {
        sound.line(line.clone()).unwrap();
        wrong.line(line.clone()).unwrap();
        if let Line::Reward(_) = line {
            let figures =
                |available| crate::ledger::Figures { available, earned: 2_000, ..Default::default() };
            sound.snapshot([(usd(), figures(2_000))].into());
            wrong.snapshot([(usd(), figures(2_100))].into());
        }
    }
    assert_eq!(sound.findings(), []);
    let [finding] = <[Finding; 1]>::try_from(wrong.findings()).unwrap();
    assert_eq!(finding.code, FindingCode::BalanceMismatch);
    assert!(finding.expected.contains("available 15.00 USD"), "{finding:?}");
    assert!(finding.found.contains("available 16.00 USD"), "{finding:?}");
}

#[test]
fn of_a_part_of_a_ledger_only_what_is_certain_is_compared() {
    let (reward, entry, _) = book();
    let mut part = Ledger::new(anna(), false);
    part.line(Line::Entry(Box::new(entry.clone()))).unwrap();
    part.snapshot([(usd(), crate::ledger::Figures { available: 77, ..Default::default() })].into());
    assert_eq!(part.findings(), [], "the reward and the lines before are not read");
    let mut later = reward;
    (later.recorded_at, later.net) = (at(60), 1_400);
    part.line(Line::Reward(Box::new(later))).unwrap();
    assert_eq!(part.findings()[0].code, FindingCode::RewardMismatch, "all of it is read");
}

fn decision(deltas: Vec<Delta>, reason: Reason) -> Decision {
    let judgement = Judgement {
        reason,
        terms_version: Some(1),
        variant: None,
        rules: Vec::new(),
        memory: Memory::default(),
        tallies: Tallies::default(),
    };
    Decision { judgement, deltas, tallies: Tallies::default(), release: Vec::new() }
}

/// What is found of a source that comes to nothing new.
fn found(posted: &[Posted], rewards: &[Reward], standing: Standing, decision: &Decision) -> Vec<Finding> {
    let source = invoice_source();
    super::source(&SourceCase {
        source: &source,
        posted,
        rewards,
        given: None,
        standing,
        decision: Some(decision),
        earned: None,
    })
}

#[test]
fn what_is_posted_and_what_stands_must_be_the_same() {
    let (reward, _, posted) = book();
    let nothing = decision(Vec::new(), Reason::Earned);
    let found = |posted: &[Posted], rewards: &[Reward]| found(posted, rewards, Standing::Settled, &nothing);
    assert_eq!(found(std::slice::from_ref(&posted), std::slice::from_ref(&reward)), []);
    let changes: [fn(&mut Posted); 4] = [
        |posted| posted.amount += 1,
        |posted| posted.entries += 1,
        |posted| posted.recipient = ParticipantId::derive(&["cleo"]),
        |posted| posted.unit = Unit::parse("EUR").unwrap(),
    ];
    for change in changes {
        let mut posted = posted.clone();
        change(&mut posted);
        let found = found(&[posted], std::slice::from_ref(&reward));
        assert_eq!(found[0].code, FindingCode::PostedMismatch, "{found:?}");
    }
    assert_eq!(found(&[posted], &[]).len(), 1, "the reward is gone");
    assert_eq!(found(&[], &[reward]).len(), 1, "the source does not name it");
}

#[test]
fn a_reward_that_was_given_anew_is_not_named_any_more() {
    let (opened, posted) = posting(None, None, 2_000, 1);
    let (taken, posted) = posting(Some(&posted), Some(opened.reward()), -2_000, 2);
    let (again, posted) = posting(Some(&posted), Some(taken.reward()), 2_000, 3);
    let rewards = [taken.reward().clone(), again.reward().clone()];
    let nothing = decision(Vec::new(), Reason::Earned);
    assert_eq!(found(&[posted], &rewards, Standing::Settled, &nothing), []);
}

#[test]
fn what_should_have_been_given_is_found_unless_the_source_is_exempt() {
    let (reward, _, posted) = book();
    let more = Delta {
        source: invoice_source(),
        rule: posted.rule.clone(),
        recipient: anna(),
        amount: Money::new(300, usd()),
        posted: Some(posted.clone()),
        promise: Promise::default(),
    };
    let of_a_milestone = Delta { source: SourceId::milestone(&posted.rule, 3), ..more.clone() };
    let other = decision(vec![more], Reason::Earned);
    let (posted, rewards) = ([posted], [reward]);
    let [finding] = <[Finding; 1]>::try_from(found(&posted, &rewards, Standing::Settled, &other)).unwrap();
    assert_eq!((finding.expected.as_str(), finding.found.as_str()), ("18.00 USD", "15.00 USD"));
    assert_eq!(found(&posted, &rewards, Standing::Exempt, &other), []);
    let elsewhere = decision(vec![of_a_milestone], Reason::Earned);
    assert_eq!(found(&posted, &rewards, Standing::Settled, &elsewhere), [], "judged where it is counted");
}

#[test]
fn a_source_that_waits_for_what_is_there_must_be_on_its_list() {
    let found = |is_listed, reason| {
        let standing = Standing::Waiting { is_listed };
        found(&[], &[], standing, &decision(Vec::new(), reason))
    };
    assert_eq!(found(false, Reason::AwaitingSignup), []);
    assert_eq!(found(true, Reason::Earned), []);
    assert_eq!(found(false, Reason::Earned)[0].code, FindingCode::WaitingMismatch);
}

#[test]
fn a_gift_is_what_was_given_less_what_was_taken_back() {
    let (reward, _, mut posted) = book();
    let source = invoice_source();
    let mut found = |amount: i64, taken: i64| {
        posted.taken = taken;
        let case = SourceCase {
            source: &source,
            posted: std::slice::from_ref(&posted),
            rewards: std::slice::from_ref(&reward),
            given: Some(Money::new(amount, usd())),
            standing: Standing::Settled,
            decision: None,
            earned: None,
        };
        super::source(&case).len()
    };
    assert_eq!((found(2_000, 500), found(2_000, 400), found(1_900, 500)), (0, 1, 1));
}

#[test]
fn a_second_level_is_decided_from_the_reward_as_it_is() {
    let (reward, _, _) = book();
    let source = SourceId::reward(&reward.reward);
    let nothing = decision(Vec::new(), Reason::Earned);
    let found = |earned: &Earned, standing| {
        let case = SourceCase {
            source: &source,
            posted: &[],
            rewards: &[],
            given: None,
            standing,
            decision: Some(&nothing),
            earned: Some((earned, &reward)),
        };
        super::source(&case).len()
    };
    let earned = reward.as_source().earned.unwrap();
    let old = Earned { net: 2_000, lines: 1, ..earned.clone() };
    assert_eq!((found(&earned, Standing::Settled), found(&old, Standing::Settled)), (0, 1));
    assert_eq!(found(&old, Standing::Exempt), 0, "it is still to be decided");
}

#[test]
fn a_milestone_gives_what_it_promised_or_nothing() {
    let (reward, _, posted) = book();
    let found = |amount: i64, taken: i64| {
        let posted = Posted { taken, ..posted.clone() };
        milestone(&anna(), &[Awarded { at: 3, amount, posted }], &reward).len()
    };
    assert_eq!((found(1_500, 0), found(2_000, 500), found(2_000, 0)), (0, 0, 1));
    assert_eq!(milestone(&anna(), &[], &reward).len(), 1, "the counters do not name it");
}

#[test]
fn a_report_is_the_fold_of_its_day() {
    let day = at(0).date_naive();
    let program = ProgramId::derive(&["p"]);
    let mut folded = DayReport::new(day);
    let line = DayLine::Reward { program: program.clone(), delta: 2_000, unit: usd(), cause: Cause::Earned };
    folded.add(&line).unwrap();
    assert_eq!(report(&folded, Some(&folded)), None);
    assert_eq!(report(&DayReport::new(day), None), None, "nothing happened");
    assert_eq!(report(&folded, None).unwrap().about, "the total");
    let mut other = folded.clone();
    other.total.rewards = 2;
    let finding = report(&folded, Some(&other)).unwrap();
    assert_eq!((finding.code, finding.row.as_str()), (FindingCode::ReportMismatch, "report/2026-11-21"));
    let mut other = folded.clone();
    other.programs.get_mut(&program).unwrap().amounts.get_mut(&usd()).unwrap().net = 1;
    assert_eq!(report(&folded, Some(&other)).unwrap().about, format!("program {program}"));
}

#[test]
fn an_invoice_is_what_all_its_lines_come_to() {
    let run = crate::id::BillingRunId::derive(&["run"]);
    let id = PartnerInvoiceId::of(&anna(), at(0), &run, crate::money::Currency::parse("USD").unwrap());
    let sum = (1_500, 2);
    let sound = InvoiceCase { invoice: &id, total: sum, items: sum, listed: sum, marked: Some(sum) };
    assert_eq!(invoice(&sound), None);
    assert_eq!(invoice(&InvoiceCase { marked: None, ..sound }), None);
    let other = (1_500, 3);
    for wrong in [
        InvoiceCase { total: other, ..sound },
        InvoiceCase { items: other, ..sound },
        InvoiceCase { listed: (1, 2), ..sound },
        InvoiceCase { marked: Some((0, 0)), ..sound },
    ] {
        assert_eq!(invoice(&wrong).unwrap().code, FindingCode::InvoiceMismatch, "{wrong:?}");
    }
}

#[test]
fn a_payout_batch_is_what_its_lines_come_to() {
    use crate::payout::LineStatus::{Cancelled, Failed, Paid, Pending};
    let batch = crate::id::PayoutBatchId::derive(&["batch"]);
    let mut lines = PayoutSums::default();
    for (status, amount) in [(Pending, 1), (Paid, 20), (Failed, 300), (Cancelled, 4_000)] {
        lines.add(status, amount, 2);
    }
    let says = PayoutSums { lines: (4_321, 4), invoices: 8, paid: (20, 1), failed: (300, 1) };
    assert_eq!(payout_batch(&batch, &says, &lines), None);
    for wrong in [
        PayoutSums { lines: (4_320, 4), ..says },
        PayoutSums { invoices: 7, ..says },
        PayoutSums { paid: (20, 2), ..says },
        PayoutSums { failed: (301, 1), ..says },
    ] {
        let finding = payout_batch(&batch, &wrong, &lines).unwrap();
        assert_eq!(
            (finding.code, finding.row),
            (FindingCode::PayoutMismatch, format!("payout-batch/{batch}"))
        );
        assert_ne!(finding.expected, finding.found);
    }
    let line = crate::id::PayoutLineId::of(&batch, &anna());
    assert_eq!(payout_line(&line, (300, 2), (300, 2)), None);
    for held in [(300, 1), (299, 2), (0, 0)] {
        let finding = payout_line(&line, (300, 2), held).unwrap();
        assert_eq!((finding.code, finding.row), (FindingCode::PayoutMismatch, format!("payout-line/{line}")));
    }
}

#[test]
fn findings_keep_their_wire_form() {
    let finding = Finding::overdue("source/invoice/stripe/in_1", at(0));
    let json = r#"{"code":"overdue","row":"source/invoice/stripe/in_1","about":"what is left to do","expected":"done within an hour","found":"due since 2026-11-21T00:00:00+00:00"}"#;
    assert_eq!(serde_json::to_string(&finding).unwrap(), json);
}
