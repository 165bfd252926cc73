//! Lists as files for spreadsheets: CSV as RFC 4180 has it, in UTF-8.

use csv::{Error, Terminator, Writer, WriterBuilder};

/// What a cell must not begin with: a spreadsheet would take it for a formula (OWASP, CSV injection).
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// A file that is being written, of rows of `N` cells.
#[derive(Debug)]
pub struct CsvFile<const N: usize> {
    rows: Writer<Vec<u8>>,
    bytes: usize,
}

impl<const N: usize> Default for CsvFile<N> {
    fn default() -> Self {
        Self { rows: WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new()), bytes: 0 }
    }
}

impl<const N: usize> CsvFile<N> {
    /// Adds a row. A cell that would be taken for a formula gets an apostrophe before it.
    ///
    /// # Errors
    /// [`Error`], never while it is written to memory.
    pub fn add(&mut self, row: [String; N]) -> Result<(), Error> {
        let row = row.map(harmless);
        // Quotes and what separates it from the next.
        let bytes = row.iter().map(|cell| cell.len().saturating_add(3));
        self.bytes = bytes.fold(self.bytes, usize::saturating_add);
        self.rows.write_record(row)
    }

    /// About how long it is by now, in bytes: quotes within cells are not counted twice.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The file.
    ///
    /// # Errors
    /// [`Error`], never while it is written to memory.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        self.rows.into_inner().map_err(|error| error.into_error().into())
    }
}

fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_formula_is_not_one() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx"] {
            assert_eq!(harmless(cell.to_owned()), format!("'{cell}"));
        }
        for cell in ["", "a=1", "20.00", "'x", "prt_1"] {
            assert_eq!(harmless(cell.to_owned()), cell);
        }
    }

    #[test]
    fn a_file_is_as_long_as_it_says_or_longer_only_by_quotes_within() {
        let mut file = CsvFile::default();
        file.add(["a,b", "c"].map(str::to_owned)).unwrap();
        file.add(["=1", "say \"so\""].map(str::to_owned)).unwrap();
        assert_eq!(file.bytes(), 6 + 4 + 6 + 11);
        assert_eq!(file.finish().unwrap(), b"\"a,b\",c\r\n'=1,\"say \"\"so\"\"\"\r\n");
    }
}
