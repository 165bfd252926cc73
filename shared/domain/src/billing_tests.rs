use proptest::prelude::*;

use super::*;
use crate::id::{BillingRunId, OrganizationId, ParticipantId, ProgramId};
use crate::ledger::{Entry, Promise, Reward as LedgerReward};
use crate::money::Unit;
use crate::terms::RewardKind;

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(number)
}

fn at(hours: i64) -> DateTime<Utc> {
    day(0).and_time(NaiveTime::MIN).and_utc() + Duration::hours(hours)
}

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn anna() -> ParticipantId {
    let (organization, program) = (OrganizationId::derive(&["o"]), ProgramId::derive(&["p"]));
    ParticipantId::of(&organization, &program, &ExternalId::parse("anna").unwrap())
}

fn invoice(name: &str) -> PartnerInvoiceId {
    PartnerInvoiceId::of(&anna(), at(24), &BillingRunId::derive(&[name]), usd())
}

/// A cash reward that was opened after so many hours.
fn reward(number: usize, delta: i64, state: RewardState, hours: i64) -> LedgerReward {
    let source = SourceId::parse(&format!("invoice/stripe/in_{number}")).unwrap();
    let rule = RuleId::parse("share").unwrap();
    LedgerReward {
        reward: RewardId::of(&anna(), at(hours), &source, &rule, usd().into(), 0),
        participant: anna(),
        program: ProgramId::derive(&["p"]),
        rule,
        terms_version: 1,
        source,
        referee: ExternalId::parse(&format!("ref-{}", number % 3)).unwrap(),
        delta,
        unit: usd().into(),
        promise: Promise { kind: Some(RewardKind::Cash), ..Promise::default() },
        note: None,
        cause: Cause::Earned,
        occurred_at: at(hours),
        recorded_at: at(hours),
        net: delta,
        lines: 1,
        payable: delta,
        available: 0,
        settled: false,
        state,
        attempt: 0,
        lease_until: None,
        fulfilled_at: None,
        ready_at: None,
        evened: 0,
        untold: Vec::new(),
        handed: None,
        outside: None,
        failure: None,
        moves: Vec::new(),
    }
}

fn entry(of: &LedgerReward, number: u32, delta: i64, hours: i64) -> Entry {
    Entry {
        entry: crate::id::EntryId::derive(&[of.reward.as_str(), &number.to_string()]),
        reward: of.reward.clone(),
        participant: anna(),
        program: of.program.clone(),
        rule: of.rule.clone(),
        terms_version: 7,
        source: of.source.clone(),
        delta,
        unit: of.unit,
        cause: Cause::Refund,
        note: None,
        occurred_at: at(hours),
        recorded_at: at(hours),
        available: delta,
        account: ledger::Account::Cash,
        number,
    }
}

/// The amounts that are due by the end of the first day, and whether anything waits.
fn due(lines: &[(Line, Option<(PartnerInvoiceId, bool)>)]) -> (Vec<i64>, bool) {
    let mut account = Account::default();
    for (line, mark) in lines {
        account.add(line, mark.as_ref().map(|(invoice, live)| (invoice, *live)));
    }
    let due = account.due(at(24), at(24));
    let amounts = due.lines.get(&usd()).map(|lines| lines.iter().map(|due| due.line.amount).collect());
    (amounts.unwrap_or_default(), due.waits)
}

fn opened(reward: &LedgerReward) -> Line {
    Line::Reward(Box::new(reward.clone()))
}

fn corrected(of: &LedgerReward, delta: i64, hours: i64) -> Line {
    Line::Entry(Box::new(entry(of, 1, delta, hours)))
}

#[test]
fn a_reward_is_due_with_its_corrections_from_its_approval_on() {
    use RewardState::{Approved, Expired, Failed, Fulfilled, Fulfilling, Held, Pending, Rejected, Reversed};
    let both = vec![100, -30];
    let cases = [
        (Pending, vec![], true),
        (Held, vec![], true),
        (Approved, both.clone(), false),
        (Fulfilling, both.clone(), false),
        (Fulfilled, both.clone(), false),
        (Rejected, vec![], false),
        (Reversed, vec![], false),
        (Expired, vec![], false),
        (Failed, vec![], false),
    ];
    for (state, amounts, waits) in cases {
        let reward = reward(1, 100, state, 1);
        let lines = [(opened(&reward), None), (corrected(&reward, -30, 2), None)];
        assert_eq!(due(&lines), (amounts, waits), "{state:?}");
        // Once it is on an invoice, every state nets what is taken back.
        let on_one = [(opened(&reward), Some((invoice("a"), true))), (corrected(&reward, -30, 2), None)];
        assert_eq!(due(&on_one), (vec![-30], false), "{state:?}, billed");
        // A void invoice is none; but where the correction stands on a live one, what it corrects has to as well.
        let void = Some((invoice("a"), false));
        let lines =
            [(opened(&reward), void.clone()), (corrected(&reward, -30, 2), Some((invoice("b"), true)))];
        assert_eq!(due(&lines), (vec![100], false), "{state:?}, void");
        let lines = [(opened(&reward), void.clone()), (corrected(&reward, -30, 2), void)];
        assert_eq!(due(&lines).0.is_empty(), !is_payable(state), "{state:?}, all void");
    }
}

#[test]
fn what_is_no_cash_or_no_currency_is_never_due() {
    let points = Unit::parse("points").unwrap();
    let credit = Promise { kind: Some(RewardKind::InvoiceCredit), ..Promise::default() };
    let fulfilled = || reward(1, 100, RewardState::Fulfilled, 1);
    let others = [
        LedgerReward { promise: credit, ..fulfilled() },
        LedgerReward { promise: Promise::default(), ..fulfilled() },
        LedgerReward { unit: points, ..fulfilled() },
    ];
    for other in others {
        assert_eq!(due(&[(opened(&other), None), (corrected(&other, -30, 2), None)]), (vec![], false));
    }
}

#[test]
fn what_is_recorded_after_the_period_is_left_and_waits_as_far_as_it_was_looked_at() {
    let first = reward(1, 100, RewardState::Fulfilled, 1);
    let mut account = Account::default();
    account.add(&opened(&first), None);
    account.add(&corrected(&first, -30, 24), None);
    let due = account.due(at(24), at(24));
    assert_eq!((due.lines[&usd()].len(), due.waits), (1, false));
    let mut account = Account::default();
    account.add(&corrected(&first, -30, 24), None);
    account.add(&opened(&first), None);
    account.add(&corrected(&first, -30, 24), None);
    let due = account.due(at(24), at(48));
    assert_eq!((due.lines[&usd()].len(), due.waits), (1, true));
    // A correction is listed with the terms of what it corrects.
    let mut account = Account::default();
    account.add(&opened(&first), Some((&invoice("a"), true)));
    account.add(&corrected(&first, -30, 2), None);
    assert_eq!(account.due(at(24), at(24)).lines[&usd()][0].line.terms_version, 1);
}

#[test]
fn nothing_is_billed_that_comes_to_nothing_or_less() {
    let cases = [
        (None, 1, Verdict::Bill),
        (None, 0, Verdict::Wait),
        (None, -1, Verdict::Wait),
        (Some(10), 0, Verdict::Bill),
        (Some(10), -9, Verdict::Bill),
        (Some(10), -10, Verdict::Abandon),
    ];
    for (begun, rest, expected) in cases {
        assert_eq!(decide(begun, rest), Ok(expected), "{begun:?} {rest}");
    }
    assert_eq!(decide(Some(i64::MAX), 1), Err(MoneyError::Overflow));
}

#[test]
fn a_period_is_billed_once_it_is_over() {
    let period = |from: u64, to: u64| Period { from: day(from), to: day(to) };
    assert_eq!(period(0, 30).ends_at(), day(31).and_time(NaiveTime::MIN).and_utc());
    let now = at(24) + Duration::minutes(15);
    assert_eq!(period(0, 0).check(now), Ok(()));
    assert_eq!(period(0, 0).check(now - Duration::milliseconds(1)), Err(PeriodError::NotOver));
    assert_eq!(period(1, 0).check(now), Err(PeriodError::Backwards));
    let year = Period { from: day(0) - Days::new(365), to: day(0) };
    assert_eq!(year.check(now), Ok(()));
    assert_eq!(Period { from: day(0) - Days::new(366), ..year }.check(now), Err(PeriodError::TooLong));
}

#[test]
fn an_invoice_goes_its_way() {
    use InvoiceAction::{Finalize, Pay, Void as Cancel};
    use InvoiceStatus::{Assembling, Draft, Finalized, Paid, Void};
    use InvoiceStep::{Already, Becomes, Refused};
    let table = [
        (Assembling, [Refused, Refused, Refused]),
        (Draft, [Becomes(Finalized), Refused, Becomes(Void)]),
        (Finalized, [Already, Becomes(Paid), Becomes(Void)]),
        (Paid, [Refused, Already, Refused]),
        (Void, [Refused, Refused, Already]),
    ];
    for (status, steps) in table {
        assert_eq!([Finalize, Pay, Cancel].map(|action| status.step(action)), steps, "{status:?}");
        assert_eq!(status.is_live(), status != Void);
    }
}

/// A miniature of the table: rewards, their corrections, and which invoice each line stands on.
#[derive(Debug, Default)]
struct Books {
    rewards: Vec<(LedgerReward, Option<usize>)>,
    entries: Vec<(Entry, Option<usize>)>,
    /// The sum of each invoice's lines when it was made, and whether it is void.
    invoices: Vec<(i64, bool)>,
    hours: i64,
}

#[derive(Debug, Clone)]
enum Act {
    Earn {
        amount: i64,
        state: RewardState,
    },
    Move {
        which: prop::sample::Index,
        state: RewardState,
    },
    Correct {
        which: prop::sample::Index,
        percent: i64,
    },
    /// A run over everything up to so many hours ago, stopped after so many chunks.
    Run {
        ago: i64,
        chunks: usize,
    },
    Void {
        which: prop::sample::Index,
    },
}

fn any_act() -> impl Strategy<Value = Act> {
    use RewardState::{Approved, Fulfilled, Held, Pending, Rejected, Reversed};
    let state = prop::sample::select(vec![Pending, Held, Approved, Fulfilled]);
    let later = prop::sample::select(vec![Approved, Fulfilled, Rejected, Reversed]);
    prop_oneof![
        4 => (1..500_i64, state).prop_map(|(amount, state)| Act::Earn { amount, state }),
        2 => (any::<prop::sample::Index>(), later).prop_map(|(which, state)| Act::Move { which, state }),
        3 => (any::<prop::sample::Index>(), -100..=50_i64)
            .prop_map(|(which, percent)| Act::Correct { which, percent }),
        2 => (0..6_i64, 0..4_usize).prop_map(|(ago, chunks)| Act::Run { ago, chunks }),
        1 => any::<prop::sample::Index>().prop_map(|which| Act::Void { which }),
    ]
}

impl Books {
    fn mark(&self, on: Option<usize>) -> Option<(PartnerInvoiceId, bool)> {
        on.map(|number| (invoice(&number.to_string()), !self.invoices[number].1))
    }

    fn account(&self) -> Account {
        let mut account = Account::default();
        let mut lines: Vec<(DateTime<Utc>, Line, Option<usize>)> = Vec::new();
        lines.extend(self.rewards.iter().map(|(reward, on)| (reward.recorded_at, opened(reward), *on)));
        for (entry, on) in &self.entries {
            lines.push((entry.recorded_at, Line::Entry(Box::new(entry.clone())), *on));
        }
        lines.sort_by_key(|(at, ..)| *at);
        for (_, line, on) in lines {
            let mark = self.mark(on);
            account.add(&line, mark.as_ref().map(|(invoice, live)| (invoice, *live)));
        }
        account
    }

    fn act(&mut self, act: Act) {
        self.hours += 1;
        match act {
            Act::Earn { amount, state } => {
                self.rewards.push((reward(self.rewards.len(), amount, state, self.hours), None));
            }
            Act::Move { which, state } if !self.rewards.is_empty() => {
                let at = which.index(self.rewards.len());
                let reward = &mut self.rewards[at].0;
                let waits = matches!(reward.state, RewardState::Pending | RewardState::Held);
                // Who was never approved is not taken back, who was is not rejected.
                let fits =
                    if waits { state != RewardState::Reversed } else { state != RewardState::Rejected };
                if fits && reward.state != RewardState::Rejected {
                    reward.state = state;
                }
            }
            Act::Correct { which, percent } if !self.rewards.is_empty() => {
                let at = which.index(self.rewards.len());
                let number = u32::try_from(self.entries.len()).unwrap();
                let delta = self.rewards[at].0.delta * percent / 100;
                // No line of the ledger is of nothing.
                if delta != 0 {
                    let entry = entry(&self.rewards[at].0, number, delta, self.hours);
                    self.entries.push((entry, None));
                }
            }
            Act::Run { ago, chunks } => self.run(at(self.hours + 1 - ago), chunks),
            Act::Void { which } if !self.invoices.is_empty() => {
                let at = which.index(self.invoices.len());
                self.invoices[at].1 = true;
            }
            Act::Move { .. } | Act::Correct { .. } | Act::Void { .. } => {}
        }
    }

    /// As a worker does it: so many chunks, and the rest by a second worker on what it finds then.
    fn run(&mut self, until: DateTime<Utc>, chunks: usize) {
        let mut begun: Option<usize> = None;
        for most in [chunks, usize::MAX] {
            let lines = self.account().due(until, until).lines.remove(&usd()).unwrap_or_default();
            let total_before = begun.map(|number| self.invoices[number].0);
            if lines.is_empty() && begun.is_none() {
                return;
            }
            match decide(total_before, total(&lines).unwrap()).unwrap() {
                Verdict::Wait => return,
                Verdict::Abandon => {
                    self.invoices[begun.unwrap()].1 = true;
                    return;
                }
                Verdict::Bill => {}
            }
            let mut rest: &[Unbilled] = &lines;
            for _ in 0..most {
                if rest.is_empty() {
                    return;
                }
                // Smaller chunks than the store's, so that a few lines are several.
                let (chunk, _, _) = next_chunk(&rest[..rest.len().min(2)]).unwrap();
                rest = &rest[chunk.len()..];
                let number = *begun.get_or_insert_with(|| {
                    self.invoices.push((0, false));
                    self.invoices.len() - 1
                });
                self.invoices[number].0 += total(chunk).unwrap();
                assert!(self.invoices[number].0 > 0, "an invoice of nothing or less");
                for unbilled in chunk {
                    self.put_on(unbilled, number);
                }
            }
        }
    }

    fn put_on(&mut self, unbilled: &Unbilled, number: usize) {
        let line = &unbilled.line;
        let on = match line.correction {
            None => {
                self.rewards.iter_mut().find(|(reward, _)| reward.reward == line.reward).map(|it| &mut it.1)
            }
            Some(correction) => {
                self.entries.iter_mut().find(|(entry, _)| entry.number == correction).map(|it| &mut it.1)
            }
        };
        let on = on.unwrap();
        // The condition of the write: on no invoice, or still on the void one that was seen.
        assert_eq!(on.map(|number| invoice(&number.to_string())), unbilled.was_on);
        *on = Some(number);
    }

    fn check(&self) {
        let mut sums = vec![0; self.invoices.len()];
        for (delta, on) in self
            .rewards
            .iter()
            .map(|(reward, on)| (reward.delta, on))
            .chain(self.entries.iter().map(|(entry, on)| (entry.delta, on)))
        {
            if let Some(number) = on {
                sums[*number] += delta;
            }
        }
        for (number, (total, void)) in self.invoices.iter().enumerate() {
            assert!(
                *void || sums[number] == *total,
                "invoice {number} comes to {total}, its lines to {sums:?}"
            );
            assert!(*void || *total > 0, "invoice {number} comes to {total}");
        }
        self.check_sum();
    }

    /// What stands on live invoices and what is due come to everything that is in billing.
    fn check_sum(&self) {
        let live: i64 = self.invoices.iter().filter(|(_, void)| !void).map(|(total, _)| total).sum();
        let end = at(self.hours + 1);
        let due = self.account().due(end, end).lines.remove(&usd()).unwrap_or_default();
        let on_live = |on: &Option<usize>| on.is_some_and(|number| !self.invoices[number].1);
        let mut all = 0;
        for (reward, on) in &self.rewards {
            let entries: Vec<_> =
                self.entries.iter().filter(|(entry, _)| entry.reward == reward.reward).collect();
            let in_billing =
                is_payable(reward.state) || on_live(on) || entries.iter().any(|(_, on)| on_live(on));
            if in_billing {
                all += reward.delta + entries.iter().map(|(entry, _)| entry.delta).sum::<i64>();
            }
        }
        assert_eq!(live + total(&due).unwrap(), all);
    }
}

proptest! {
    #[test]
    fn each_line_is_on_one_live_invoice_at_most_and_nothing_is_lost(
        acts in prop::collection::vec(any_act(), 1..60),
    ) {
        let mut books = Books::default();
        for act in acts {
            books.act(act);
            books.check();
        }
        // Once everything is due and more was earned than taken back, all of it stands on invoices.
        books.act(Act::Earn { amount: 1_000_000, state: RewardState::Fulfilled });
        books.run(at(books.hours + 1), usize::MAX);
        books.check();
        let end = at(books.hours + 1);
        prop_assert!(books.account().due(end, end).lines.is_empty());
    }

    #[test]
    fn chunks_are_all_of_the_lines_in_their_order_and_fit_a_transaction(
        referees in prop::collection::vec(0..40_usize, 1..400),
    ) {
        let mut account = Account::default();
        for (number, referee) in referees.iter().enumerate() {
            let mut reward = reward(number, 5, RewardState::Fulfilled, 1);
            reward.referee = ExternalId::parse(&format!("r{referee}")).unwrap();
            account.add(&opened(&reward), None);
        }
        let lines = account.due(at(24), at(24)).lines.remove(&usd()).unwrap();
        let (mut rest, mut sum, mut count) = (lines.as_slice(), 0, 0);
        while !rest.is_empty() {
            let (chunk, items, more) = next_chunk(rest).unwrap();
            prop_assert!(!chunk.is_empty() && chunk.len() + items.len() <= CHUNK_MAX);
            prop_assert_eq!(items.values().map(|(amount, _)| amount).sum::<i64>(), total(chunk).unwrap());
            sum += total(chunk).unwrap();
            count += chunk.len();
            rest = more;
        }
        prop_assert_eq!((count, sum), (lines.len(), total(&lines).unwrap()));
    }
}
