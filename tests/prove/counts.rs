//! What was counted, and what it must be.

use std::fmt::{self, Display, Formatter};

use tests::table;

/// Counts of one trial, in the order in which they are shown.
#[derive(Debug)]
pub(crate) struct Counts {
    title: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    figure: String,
    /// What the figure must be, where it must be something.
    must_be: Option<String>,
}

impl Counts {
    pub(crate) fn of(title: &str) -> Self {
        Self { title: title.to_owned(), rows: Vec::new() }
    }

    /// A figure for information.
    pub(crate) fn add(&mut self, name: &str, figure: impl Display) {
        self.rows.push(Row { name: name.to_owned(), figure: figure.to_string(), must_be: None });
    }

    /// A figure that must be this and nothing else.
    pub(crate) fn must<T: Display>(&mut self, name: &str, figure: T, must_be: T) {
        let must_be = Some(must_be.to_string());
        self.rows.push(Row { name: name.to_owned(), figure: figure.to_string(), must_be });
    }

    /// Whether every figure is what it must be.
    pub(crate) fn hold(&self) -> bool {
        self.rows.iter().all(Row::holds)
    }
}

impl Row {
    fn holds(&self) -> bool {
        self.must_be.as_ref().is_none_or(|must_be| *must_be == self.figure)
    }
}

impl Display for Counts {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut table = table::of_figures(&["", "counted", "must be"]);
        for row in &self.rows {
            let mark = if row.holds() { "" } else { "  <- NOT" };
            let must_be = row.must_be.as_deref().unwrap_or_default();
            table.add_row([row.name.as_str(), &row.figure, &format!("{must_be}{mark}")]);
        }
        let verdict = if self.hold() { "holds" } else { "DOES NOT HOLD" };
        write!(formatter, "\n{}: {verdict}\n{table}", self.title)
    }
}
