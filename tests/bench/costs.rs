//! What each operation asks of the table and the queues, counted, and what that costs.

mod operation;
mod price;
mod scenario;
mod schedule;
mod stripe;

use anyhow::Result;

use crate::progress;
use crate::table;
use operation::Row;

/// Prints the table of operations; answers how many exceed their budget.
pub(crate) async fn run() -> Result<usize> {
    progress("counting what each operation asks for ...");
    let rows = scenario::run().await?;
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
