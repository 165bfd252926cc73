//! What each operation asks of the table and the queues, counted, and what that costs.

mod operation;
mod price;
mod scenario;
mod schedule;
mod stripe;

use anyhow::Result;
use tests::table;

use crate::progress;
use crate::rig::Rig;
use operation::Row;

/// Prints the table of operations; answers how many exceed their budget.
pub(crate) async fn run() -> Result<usize> {
    progress("counting what each operation asks for ...");
    let mut rows = scenario::run(&Rig::start().await?).await?;
    rows.extend(schedule::run(&Rig::start().await?).await?);
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
    table.add_rows(rows.iter().map(Row::cells));
    println!(
        "\nWhat an operation asks for, with warm caches, and what it costs\n{table}\n{}",
        price::legend()
    );
    Ok(rows.iter().filter(|row| row.exceeded()).count())
}
