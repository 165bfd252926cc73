//! Keys of rows that are due: the partition key, and the sort key.

use aws::store::keys::{Key, parse_due};

use super::lines;

pub(super) fn check(bytes: &[u8]) {
    let Some([pk, sk]) = lines(bytes) else { return };
    let Some(due) = parse_due(&Key { pk: pk.to_owned(), sk: sk.to_owned() }) else { return };
    let key = due.key();
    assert_eq!(parse_due(&key).as_ref(), Some(&due), "{key:?}");
    // Whatever the rest says, it is a row of this organization's.
    assert!(key.pk.starts_with(&format!("{}#", due.organization)));
    assert!(pk.starts_with(&format!("{}#", due.organization)));
}
