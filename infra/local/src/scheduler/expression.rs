//! `rate(..)` and `cron(..)` as `EventBridge` Scheduler reads them.

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::template::Schedule;

/// When a schedule runs.
#[derive(Debug)]
pub(super) enum Expression {
    /// Every so often, counted from the start of the stage.
    Rate(TimeDelta),
    /// At the times of a cron pattern, in UTC.
    Cron(Box<Cron>),
}

impl Expression {
    pub(super) fn parse(schedule: &Schedule) -> Result<Self> {
        ensure!(matches!(schedule.timezone.as_str(), "UTC" | "Etc/UTC"), "the local stage knows UTC only");
        let text = schedule.expression.trim();
        let (kind, rest) = text.split_once('(').with_context(|| format!("cannot read {text}"))?;
        let inner = rest.strip_suffix(')').with_context(|| format!("cannot read {text}"))?;
        match kind {
            "rate" => parse_rate(inner).map(Self::Rate),
            "cron" => parse_cron(inner).map(|cron| Self::Cron(Box::new(cron))),
            _ => bail!("{kind}(..) is neither a rate nor a cron expression"),
        }
        .with_context(|| format!("cannot read {text}"))
    }

    /// The first time after `last`.
    pub(super) fn next(&self, last: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Rate(every) => last.checked_add_signed(*every),
            Self::Cron(cron) => cron.find_next_occurrence(&last, false).ok(),
        }
    }

    /// The times after `last` up to `now` that are to be run: a rate at most once, cron once per time.
    pub(super) fn due(&self, last: DateTime<Utc>, now: DateTime<Utc>, at_most: usize) -> Vec<DateTime<Utc>> {
        match self {
            Self::Rate(_) => {
                let caught_up = self.caught_up(last, now);
                if caught_up > last { vec![caught_up] } else { Vec::new() }
            }
            Self::Cron(cron) => cron.iter_after(last).take_while(|time| *time <= now).take(at_most).collect(),
        }
    }

    /// The time from which to count on once everything up to `now` has run.
    pub(super) fn caught_up(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Rate(every) => {
                let passed =
                    (now - last).num_milliseconds().checked_div(every.num_milliseconds()).unwrap_or(0);
                i32::try_from(passed.max(0)).map_or(now, |passed| last + *every * passed)
            }
            Self::Cron(_) => now.max(last),
        }
    }
}

fn parse_rate(text: &str) -> Result<TimeDelta> {
    let (value, unit) = text.trim().split_once(' ').context("expected a value and a unit")?;
    let value: i64 = value.parse()?;
    ensure!(value > 0, "a rate must be positive");
    match unit.trim() {
        "minute" | "minutes" => TimeDelta::try_minutes(value),
        "hour" | "hours" => TimeDelta::try_hours(value),
        "day" | "days" => TimeDelta::try_days(value),
        other => bail!("unknown unit {other}"),
    }
    .context("the rate is too large")
}

/// AWS's six fields are minutes to year, with Sunday as day 1 and `0/5` for "every 5 from 0".
fn parse_cron(text: &str) -> Result<Cron> {
    ensure!(text.split_whitespace().count() == 6, "a cron expression has six fields");
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .alternative_weekdays(true)
        .dom_and_dow(true)
        .sloppy_ranges(true)
        .build();
    Ok(parser.parse(&format!("0 {}", text.trim()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> Result<Expression> {
        Expression::parse(&Schedule {
            id: "Test".to_owned(),
            function: "TestFunction".to_owned(),
            expression: text.to_owned(),
            timezone: "Etc/UTC".to_owned(),
            input: String::new(),
        })
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn due(text: &str, last: &str, now: &str) -> Vec<String> {
        let times = expression(text).unwrap().due(at(last), at(now), 400);
        times.into_iter().map(|time| time.format("%Y-%m-%dT%H:%MZ").to_string()).collect()
    }

    #[test]
    fn a_rate_runs_once_however_much_time_has_passed() {
        assert_eq!(due("rate(1 minute)", "2026-11-22T10:00:30Z", "2026-11-22T10:01:29Z"), [""; 0]);
        assert_eq!(
            due("rate(1 minute)", "2026-11-22T10:00:30Z", "2026-11-22T10:01:30Z"),
            ["2026-11-22T10:01Z"]
        );
        assert_eq!(
            due("rate(1 minute)", "2026-11-22T10:00:30Z", "2026-11-25T10:00:30Z"),
            ["2026-11-25T10:00Z"]
        );
    }

    #[test]
    fn a_rate_keeps_its_beat() {
        let rate = expression("rate(5 minutes)").unwrap();
        let caught_up = rate.caught_up(at("2026-11-22T10:00:00Z"), at("2026-11-22T10:13:00Z"));
        assert_eq!(caught_up, at("2026-11-22T10:10:00Z"));
        assert_eq!(rate.next(caught_up), Some(at("2026-11-22T10:15:00Z")));
    }

    #[test]
    fn cron_runs_once_per_passed_time() {
        let days = due("cron(10 0 * * ? *)", "2026-11-22T00:10:00Z", "2026-11-24T00:10:00Z");
        assert_eq!(days, ["2026-11-23T00:10Z", "2026-11-24T00:10Z"]);
    }

    #[test]
    fn cron_runs_at_most_four_hundred_times_at_once() {
        assert_eq!(due("cron(10 0 * * ? *)", "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z").len(), 400);
    }

    #[test]
    fn cron_counts_days_of_the_week_from_sunday_as_one() {
        let sunday = "2026-11-22T00:00:00Z";
        assert_eq!(due("cron(0 12 ? * 1 *)", "2026-11-16T00:00:00Z", sunday), [""; 0]);
        assert_eq!(due("cron(0 12 ? * 1 *)", sunday, "2026-11-23T00:00:00Z"), ["2026-11-22T12:00Z"]);
        assert_eq!(due("cron(0 12 ? * MON *)", sunday, "2026-11-24T00:00:00Z"), ["2026-11-23T12:00Z"]);
    }

    #[test]
    fn cron_steps_from_a_start() {
        let quarters = due("cron(0/15 10 22 11 ? 2026)", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
        assert_eq!(quarters.len(), 4);
        assert_eq!(
            due("cron(0/15 10 22 11 ? 2026)", "2026-11-23T00:00:00Z", "2027-12-23T00:00:00Z"),
            [""; 0]
        );
    }

    #[test]
    fn what_is_not_a_schedule_is_refused() {
        for text in
            ["rate(0 minutes)", "rate(1 week)", "rate(1)", "cron(* * *)", "at(2026-11-22T00:00:00)", "daily"]
        {
            assert!(expression(text).is_err(), "{text}");
        }
    }
}
