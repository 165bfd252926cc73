//! The self-check: what must hold of rows that were read, and what is found where it does not. Plain comparisons; who reads
//! the rows looks again before it reports a finding, since they may have been written one after the other meanwhile.
//!
//! | what | must be |
//! |---|---|
//! | a participant's balance | the sum of its ledger's lines ([`Ledger`]) |
//! | a reward's figures | what its opening and correcting lines add up to, for its state ([`Ledger`]) |
//! | what is posted of a source | what its rewards say, and what its rules should have given by now ([`source`]) |
//! | what is posted of a milestone | what its reward says, and what was promised, or nothing ([`milestone`]) |
//! | a daily report | the fold of its day's lines ([`report`]) |
//! | a partner invoice | its line items, its lines, and the ledger lines that name it ([`invoice`]) |
//! | a payout batch, a line of it | its lines ([`payout_batch`]), its invoices ([`payout_line`]) |

mod ledger;
mod payout;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::Decision;
use crate::id::{ParticipantId, PartnerInvoiceId, SourceId};
use crate::ledger::{Posted, Reward};
use crate::money::Money;
use crate::reason::Reason;
use crate::report::{DayFigures, DayReport};
use crate::source::Earned;
use crate::tally::Awarded;

pub use ledger::Ledger;
pub use payout::{PayoutSums, payout_batch, payout_line};

/// What is wrong; stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// A participant's balance is not the sum of its ledger.
    BalanceMismatch,
    /// A reward is not what its ledger lines add up to.
    RewardMismatch,
    /// What is posted is not what the reward says, or not what should have been given.
    PostedMismatch,
    /// A source waits for what is there already, and nothing will decide it again.
    WaitingMismatch,
    /// A daily report is not the fold of its day.
    ReportMismatch,
    /// A partner invoice is not what its lines come to.
    InvoiceMismatch,
    /// A payout batch is not what its lines come to, or a line not what its invoices do.
    PayoutMismatch,
    /// Something has been due for more than an hour.
    Overdue,
    /// A row cannot be read.
    Unreadable,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What is wrong.
    pub code: FindingCode,
    /// Which row it is about, such as `reward/rwd_...` or `source/invoice/stripe/in_123`.
    pub row: String,
    /// What of it.
    pub about: String,
    /// What it should say.
    pub expected: String,
    /// What it says.
    pub found: String,
}

impl Finding {
    fn new(
        code: FindingCode,
        row: impl Into<String>,
        about: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (row, about) = (row.into(), about.into());
        Self { code, row, about, expected: expected.into(), found: found.into() }
    }

    /// A row that has been due for too long.
    #[must_use]
    pub fn overdue(row: impl Into<String>, since: DateTime<Utc>) -> Self {
        let found = format!("due since {}", since.to_rfc3339());
        Self::new(FindingCode::Overdue, row, "what is left to do", "done within an hour", found)
    }

    /// A row that cannot be read.
    #[must_use]
    pub fn unreadable(row: impl Into<String>, error: impl Into<String>) -> Self {
        Self::new(FindingCode::Unreadable, row, "the row", "a row of its kind", error)
    }
}

/// The name of a participant's row in findings.
#[must_use]
pub fn participant_row(id: &ParticipantId) -> String {
    format!("participant/{id}")
}

/// The name of a source's row in findings.
#[must_use]
pub fn source_row(id: &SourceId) -> String {
    format!("source/{id}")
}

fn reward_row(reward: &Reward) -> String {
    format!("reward/{}", reward.reward)
}

/// An amount and in how many lines.
fn in_lines(amount: Money, lines: u32) -> String {
    format!("{amount} in {lines} lines")
}

/// Whether what is posted of a source must be what its rules should have given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It must.
    Settled,
    /// It waits for its payer or for a rate: it must as long as that is not there.
    Waiting {
        /// Whether it is on the list of those that are decided again once what it waits for is there.
        is_listed: bool,
    },
    /// It need not: it waited in vain, or something of it is still to be decided, or cannot be decided any more.
    Exempt,
}

/// A source with everything that is compared.
#[derive(Debug, Clone, Copy)]
pub struct SourceCase<'a> {
    /// The source.
    pub source: &'a SourceId,
    /// What is posted of it.
    pub posted: &'a [Posted],
    /// Its rewards: those that it names, and those that name it.
    pub rewards: &'a [Reward],
    /// What was given, where it was given by hand.
    pub given: Option<Money>,
    /// Whether it is decided.
    pub standing: Standing,
    /// What is decided of it now; none where it was given by hand.
    pub decision: Option<&'a Decision>,
    /// What is known of the reward that it stands for, and that reward, where it is of the second level.
    pub earned: Option<(&'a Earned, &'a Reward)>,
}

/// What is wrong with a source.
#[must_use]
pub fn source(case: &SourceCase<'_>) -> Vec<Finding> {
    let row = source_row(case.source);
    let mut findings = posted_by(&row, case.posted, case.rewards);
    let strangers = case.rewards.iter().filter(|reward| reward.source == *case.source);
    findings.extend(strangers.filter_map(|reward| unnamed(&row, reward, case.posted)));
    if let Some(given) = case.given {
        findings.extend(not_as_given(&row, given, case.posted));
    }
    let waiting = |decision: &Decision| {
        let reason = decision.judgement.reason;
        matches!(reason, Reason::AwaitingSignup | Reason::PayerUnknown | Reason::AwaitingRate)
    };
    match (case.standing, case.decision) {
        (Standing::Exempt, _) | (_, None) => {}
        (Standing::Waiting { is_listed }, Some(decision)) if !waiting(decision) => {
            if !is_listed {
                let found = format!("it waits, and comes to {}", decision.judgement.reason);
                let about = "what it waits for";
                findings.push(Finding::new(FindingCode::WaitingMismatch, &row, about, "decided", found));
            }
        }
        (Standing::Settled | Standing::Waiting { .. }, Some(decision)) => {
            findings.extend(not_the_target(&row, case.source, decision));
            findings
                .extend(case.earned.and_then(|(earned, reward)| not_what_was_earned(&row, earned, reward)));
        }
    }
    findings
}

/// What is posted, against the rewards that it names.
fn posted_by(row: &str, posted: &[Posted], rewards: &[Reward]) -> Vec<Finding> {
    let compare = |posted: &Posted| {
        let about = format!("what is posted of {}", posted.reward);
        let told = |recipient: &ParticipantId, rule: &str, amount: i64, unit, lines| {
            format!("{} for {recipient} by {rule}", in_lines(Money::new(amount, unit), lines))
        };
        let found = told(&posted.recipient, posted.rule.as_str(), posted.amount, posted.unit, posted.entries);
        let reward = rewards.iter().find(|reward| reward.reward == posted.reward);
        let expected = match reward {
            None => "a reward that is there".to_owned(),
            Some(reward) => {
                told(&reward.participant, reward.rule.as_str(), reward.net, reward.unit, reward.lines)
            }
        };
        (expected != found).then(|| Finding::new(FindingCode::PostedMismatch, row, about, expected, found))
    };
    posted.iter().filter_map(compare).collect()
}

/// A reward that its place does not name. One that was taken back undelivered and given anew is not named any more.
fn unnamed(row: &str, reward: &Reward, posted: &[Posted]) -> Option<Finding> {
    let is_same = |posted: &&Posted| {
        posted.rule == reward.rule && posted.recipient == reward.participant && posted.unit == reward.unit
    };
    let given_anew = || {
        let nothing_left = reward.net == 0 && reward.fulfilled_at.is_none();
        nothing_left && posted.iter().filter(is_same).any(|posted| posted.generation > 0)
    };
    let is_named = posted.iter().any(|posted| posted.reward == reward.reward);
    (!is_named && !given_anew()).then(|| {
        let expected = in_lines(Money::new(reward.net, reward.unit), reward.lines);
        let about = format!("what is posted of {}", reward.reward);
        Finding::new(FindingCode::PostedMismatch, row, about, expected, "nothing")
    })
}

/// A reward given by hand is what was given less what was taken back.
fn not_as_given(row: &str, given: Money, posted: &[Posted]) -> Option<Finding> {
    let wrong = |found: String| {
        Finding::new(FindingCode::PostedMismatch, row, "what was given", given.to_string(), found)
    };
    let Some(only) = posted.first() else { return Some(wrong("nothing".to_owned())) };
    let whole = Money::new(only.amount.saturating_add(only.taken), only.unit);
    (whole != given).then(|| wrong(format!("{whole}, {} of it taken back", only.taken)))
}

/// What a source's own rules should have given and have not.
fn not_the_target(row: &str, source: &SourceId, decision: &Decision) -> Vec<Finding> {
    let own = decision.deltas.iter().filter(|delta| delta.source == *source);
    let finding = |delta: &crate::ledger::Delta| {
        let unit = delta.amount.unit;
        let found = delta.posted.as_ref().map_or(0, |posted| posted.amount);
        let expected = Money::new(found.saturating_add(delta.amount.amount), unit);
        let about = format!("what {} gives {}", delta.rule, delta.recipient);
        let found = Money::new(found, unit).to_string();
        Finding::new(FindingCode::PostedMismatch, row, about, expected.to_string(), found)
    };
    own.map(finding).collect()
}

/// What a second level is decided from must be the reward as it is.
fn not_what_was_earned(row: &str, earned: &Earned, reward: &Reward) -> Option<Finding> {
    let expected = in_lines(Money::new(reward.net, reward.unit), reward.lines);
    let found = in_lines(Money::new(earned.net, earned.unit), earned.lines);
    let about = format!("what stands of {}", reward.reward);
    (expected != found).then(|| Finding::new(FindingCode::PostedMismatch, row, about, expected, found))
}

/// What is wrong with a milestone's reward; `awarded` is the counters' word of it, if they have one.
#[must_use]
pub fn milestone(participant: &ParticipantId, awarded: &[Awarded], reward: &Reward) -> Vec<Finding> {
    let row = participant_row(participant);
    let posted: Vec<Posted> = awarded.iter().map(|awarded| awarded.posted.clone()).collect();
    let Some(own) = awarded.iter().find(|awarded| awarded.posted.reward == reward.reward) else {
        return unnamed(&row, reward, &posted).into_iter().collect();
    };
    let mut findings = posted_by(&row, std::slice::from_ref(&own.posted), std::slice::from_ref(reward));
    let amount = own.posted.amount;
    if amount != 0 && amount.saturating_add(own.posted.taken) != own.amount {
        let about = format!("the milestone at {} of {}", own.at, own.posted.rule);
        let promised = Money::new(own.amount.saturating_sub(own.posted.taken), own.posted.unit);
        let (expected, found) = (format!("{promised} or nothing"), Money::new(amount, own.posted.unit));
        findings.push(Finding::new(FindingCode::PostedMismatch, row, about, expected, found.to_string()));
    }
    findings
}

/// What is wrong with a day's report; `folded` is the fold of its lines.
#[must_use]
pub fn report(folded: &DayReport, stored: Option<&DayReport>) -> Option<Finding> {
    let none = DayReport::new(folded.day);
    let stored = stored.unwrap_or(&none);
    let finding = |about: String, expected: &DayFigures, found: &DayFigures| {
        let row = report_row(folded.day);
        Finding::new(FindingCode::ReportMismatch, row, about, figures(expected), figures(found))
    };
    if folded.total != stored.total {
        return Some(finding("the total".to_owned(), &folded.total, &stored.total));
    }
    let nothing = DayFigures::default();
    let mut programs = folded.programs.keys().chain(stored.programs.keys());
    programs.find_map(|program| {
        let of = |report: &DayReport| report.programs.get(program).unwrap_or(&nothing).clone();
        let (expected, found) = (of(folded), of(stored));
        (expected != found).then(|| finding(format!("program {program}"), &expected, &found))
    })
}

fn report_row(day: NaiveDate) -> String {
    format!("report/{day}")
}

fn figures(figures: &DayFigures) -> String {
    let DayFigures { referrals, rewards, corrections, amounts } = figures;
    let mut text = format!("{referrals} referrals, {rewards} rewards, {corrections} corrections");
    for (unit, sums) in amounts {
        let of = |amount| Money::new(amount, *unit);
        let (earned, reversed, restored) = (of(sums.earned), of(sums.reversed), of(sums.restored));
        text.push_str(&format!("; {earned} earned, {reversed} reversed, {restored} restored, "));
        text.push_str(&of(sums.net).to_string());
    }
    text
}

/// An amount in minor units, and of how many lines.
pub type Sum = (i64, u64);

/// What a partner invoice and everything that it is made of come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvoiceCase<'a> {
    /// The invoice.
    pub invoice: &'a PartnerInvoiceId,
    /// What it says.
    pub total: Sum,
    /// Its line items.
    pub items: Sum,
    /// The lines that are listed on it.
    pub listed: Sum,
    /// The ledger lines that name it; none for one that is void.
    pub marked: Option<Sum>,
}

/// What is wrong with a partner invoice.
#[must_use]
pub fn invoice(case: &InvoiceCase<'_>) -> Option<Finding> {
    let text = |(amount, lines): Sum| format!("{amount} in {lines} lines");
    let parts = [
        ("its line items", Some(case.items)),
        ("the lines that are listed on it", Some(case.listed)),
        ("the ledger lines that name it", case.marked),
    ];
    let wrong = parts.into_iter().find(|(_, sum)| sum.is_some_and(|sum| sum != case.total));
    wrong.and_then(|(about, sum)| {
        let row = format!("partner-invoice/{}", case.invoice);
        Some(Finding::new(FindingCode::InvoiceMismatch, row, about, text(sum?), text(case.total)))
    })
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
