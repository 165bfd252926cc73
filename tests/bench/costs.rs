//! What each operation asks of the table and the queues, counted, and what that costs.

mod price;
mod scenario;
mod stripe;

use anyhow::{Result, bail};

use crate::probe::Tally;
use crate::progress;
use crate::rig::Rig;
use crate::table;
use price::Usage;

/// How many calls are tried until three in a row ask for the same.
const CALLS_MAX: usize = 10;

/// The most that an operation may ask of the table, where the design says so.
#[derive(Debug, Clone, Copy)]
struct Budget {
    requests: Option<u32>,
    write_units: f64,
    read_units: Option<f64>,
}

impl Budget {
    fn holds(&self, tally: &Tally) -> bool {
        self.requests.is_none_or(|most| tally.requests <= most)
            && tally.write_units <= self.write_units
            && self.read_units.is_none_or(|most| tally.read_units <= most)
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let requests = self.requests.map_or_else(|| "-".to_owned(), |most| most.to_string());
        let read_units = self.read_units.map_or_else(|| "-".to_owned(), table::short);
        write!(formatter, "{requests} / {} / {read_units}", table::short(self.write_units))
    }
}

/// One operation, measured.
#[derive(Debug)]
struct Row {
    name: &'static str,
    tally: Tally,
    /// What is paid for beside the table: how it is called.
    usage: Usage,
    /// Where the design states one.
    budget: Option<Budget>,
    /// What any design must pay for it.
    least: Option<Usage>,
}

impl Row {
    fn exceeded(&self) -> bool {
        self.budget.is_some_and(|budget| !budget.holds(&self.tally))
    }

    fn per_million(&self) -> f64 {
        let usage = Usage {
            write_units: self.tally.write_units,
            read_units: self.tally.read_units,
            queue_requests: self.usage.queue_requests + f64::from(self.tally.queue_requests),
            ..self.usage
        };
        usage.per_million()
    }
}

/// Prints the table of operations; answers how many exceed their budget.
pub(crate) async fn run() -> Result<usize> {
    progress("counting what each operation asks for ...");
    let rows = scenario::run(&Rig::start().await?).await?;
    let mut table = table::of_figures(&[
        "operation",
        "requests",
        "write\nunits",
        "of them\nrefused",
        "read\nunits",
        "SQS",
        "$ per\nmillion",
        "budget\nreq / W / R",
        "",
        "least\n$ per m.",
    ]);
    for row in &rows {
        table.add_row(cells(row));
    }
    println!("\nWhat an operation costs, with warm caches\n{table}\n{}", price::legend());
    Ok(rows.iter().filter(|row| row.exceeded()).count())
}

fn cells(row: &Row) -> Vec<String> {
    let queue_requests = row.usage.queue_requests + f64::from(row.tally.queue_requests);
    let verdict = match row.budget {
        None => "",
        Some(_) if row.exceeded() => "OVER",
        Some(_) => "ok",
    };
    vec![
        row.name.to_owned(),
        row.tally.requests.to_string(),
        table::short(row.tally.write_units),
        table::short(row.tally.refused_units),
        table::short(row.tally.read_units),
        table::short(queue_requests),
        format!("{:.2}", row.per_million()),
        row.budget.map_or_else(|| "-".to_owned(), |budget| budget.to_string()),
        verdict.to_owned(),
        row.least.map_or_else(|| "-".to_owned(), |least| format!("{:.2}", least.per_million())),
    ]
}

/// Calls an operation until it asks for the same several times in a row. The first call fills the caches.
async fn steady(rig: &Rig, name: &str, call: impl AsyncFn(usize)) -> Result<Tally> {
    let mut tallies = Vec::new();
    for number in 0..CALLS_MAX {
        rig.probe.take();
        call(number).await;
        tallies.push(rig.probe.take());
        let warm = tallies.get(1..).unwrap_or_default();
        if let [.., first, second, third] = warm
            && first == second
            && second == third
        {
            return Ok(*first);
        }
    }
    bail!("{name} never asked for the same three times in a row: {tallies:?}")
}
