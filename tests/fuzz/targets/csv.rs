//! Files for spreadsheets: cells separated by zero bytes, three to a row.

use aws::http::CsvFile;

/// What a spreadsheet takes for a formula begins with one of these.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut cells = text.split('\0').map(str::to_owned);
    let (mut file, mut rows) = (CsvFile::default(), Vec::new());
    while let (Some(a), Some(b), Some(c)) = (cells.next(), cells.next(), cells.next()) {
        file.add([a.clone(), b.clone(), c.clone()]).unwrap();
        rows.push([a, b, c]);
    }
    let (said, written) = (file.bytes(), file.finish().unwrap());
    let within = written.iter().filter(|byte| **byte == b'"').count();
    assert!(written.len() <= said + within, "{} of {said}", written.len());
    assert!(written.is_empty() || written.ends_with(b"\r\n"));

    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_slice());
    let read: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(read.len(), rows.len());
    for (record, row) in read.iter().zip(&rows) {
        assert_eq!(record.len(), 3);
        for (cell, given) in record.iter().zip(row) {
            assert!(!cell.starts_with(FORMULA), "{cell:?}");
            assert!(cell == given || cell.strip_prefix('\'') == Some(given), "{given:?} is read as {cell:?}");
        }
    }
}
