//! The daily report: a fold of what one day wrote. Folding the same day again gives the same report.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::ProgramId;
use crate::ledger::Cause;
use crate::money::{MoneyError, Unit};
use crate::terms::RewardKind;

/// A line of the day index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DayLine {
    /// A referee was bound.
    Referral {
        /// The program.
        program: ProgramId,
    },
    /// A reward was opened.
    Reward {
        /// The program.
        program: ProgramId,
        /// Minor units.
        delta: i64,
        /// Their unit.
        unit: Unit,
        /// Why.
        cause: Cause,
    },
    /// A reward was corrected.
    Entry {
        /// The program.
        program: ProgramId,
        /// Signed minor units.
        delta: i64,
        /// Their unit.
        unit: Unit,
        /// Why.
        cause: Cause,
    },
}

/// Sums of one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayAmounts {
    /// Earned that day, in minor units.
    pub earned: i64,
    /// Taken back that day (refunds, disputes, voids), as a positive number.
    pub reversed: i64,
    /// Given back that day after it had been taken.
    pub restored: i64,
    /// What the day changed: earned - reversed + restored; equals the sum of the day's ledger lines.
    pub net: i64,
}

/// Counts and sums of one program (or of all).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayFigures {
    /// Referees bound.
    pub referrals: u64,
    /// Rewards opened.
    pub rewards: u64,
    /// Corrections.
    pub corrections: u64,
    /// Sums by unit: an ISO 4217 code, or a name such as `points`. Messages, tasks and webhooks have no value and no sum.
    #[schema(value_type = std::collections::HashMap<String, DayAmounts>)]
    pub amounts: BTreeMap<Unit, DayAmounts>,
}

/// One organization's day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayReport {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// All programs together.
    pub total: DayFigures,
    /// Each program that something happened in.
    #[schema(value_type = std::collections::HashMap<String, DayFigures>)]
    pub programs: BTreeMap<ProgramId, DayFigures>,
}

impl DayReport {
    /// An empty day.
    #[must_use]
    pub fn new(day: NaiveDate) -> Self {
        Self { day, total: DayFigures::default(), programs: BTreeMap::new() }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn add(&mut self, line: &DayLine) -> Result<(), MoneyError> {
        let (DayLine::Referral { program }
        | DayLine::Reward { program, .. }
        | DayLine::Entry { program, .. }) = line;
        add_to(&mut self.total, line)?;
        add_to(self.programs.entry(program.clone()).or_default(), line)
    }
}

fn add_to(figures: &mut DayFigures, line: &DayLine) -> Result<(), MoneyError> {
    let (count, delta, unit, cause) = match line {
        DayLine::Referral { .. } => {
            figures.referrals = figures.referrals.saturating_add(1);
            return Ok(());
        }
        DayLine::Reward { delta, unit, cause, .. } => (&mut figures.rewards, *delta, *unit, *cause),
        DayLine::Entry { delta, unit, cause, .. } => (&mut figures.corrections, *delta, *unit, *cause),
    };
    *count = count.saturating_add(1);
    if RewardKind::is_action_unit(unit) {
        return Ok(());
    }
    let amounts = figures.amounts.entry(unit).or_default();
    let add = |sum: &mut i64, amount: i64| {
        *sum = sum.checked_add(amount).ok_or(MoneyError::Overflow)?;
        Ok(())
    };
    add(&mut amounts.net, delta)?;
    if delta < 0 {
        add(&mut amounts.reversed, delta.checked_neg().ok_or(MoneyError::Overflow)?)
    } else if cause == Cause::Restored {
        add(&mut amounts.restored, delta)
    } else {
        add(&mut amounts.earned, delta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reward(program: &str, delta: i64, unit: &str, cause: Cause) -> DayLine {
        let unit = Unit::parse(unit).unwrap();
        DayLine::Reward { program: ProgramId::derive(&[program]), delta, unit, cause }
    }

    #[test]
    fn a_day_is_the_fold_of_its_lines_in_any_order() {
        let program = ProgramId::derive(&["a"]);
        let usd = Unit::parse("USD").unwrap();
        let entry = |delta, cause| DayLine::Entry { program: program.clone(), delta, unit: usd, cause };
        let lines = [
            DayLine::Referral { program: program.clone() },
            reward("a", 2000, "USD", Cause::Earned),
            entry(-500, Cause::Refund),
            entry(500, Cause::Restored),
            reward("b", 7, "JPY", Cause::Earned),
        ];
        let fold = |lines: &mut dyn Iterator<Item = &DayLine>| {
            let mut report = DayReport::new(NaiveDate::from_ymd_opt(2026, 1, 1).unwrap());
            lines.for_each(|line| report.add(line).unwrap());
            report
        };
        let report = fold(&mut lines.iter());
        assert_eq!(report, fold(&mut lines.iter().rev()));
        let usd = report.total.amounts[&usd];
        assert_eq!(usd, DayAmounts { earned: 2000, reversed: 500, restored: 500, net: 2000 });
        assert_eq!((report.total.referrals, report.total.rewards, report.total.corrections), (1, 2, 2));
        assert_eq!(report.programs.len(), 2);
        assert_eq!(report.programs[&program].rewards, 1);
    }
}
