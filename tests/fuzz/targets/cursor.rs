//! Cursors of lists: the list's name, and the cursor.

use aws::http::{open_cursor, seal_cursor};

use super::lines;

/// Positions are keys of the table; the longest are far shorter.
const POSITION_BYTES: usize = 700;

pub(super) fn check(bytes: &[u8]) {
    let Some([list, text]) = lines(bytes) else { return };
    // Of another list: the checks of two texts that differ in one byte always differ.
    let (list, other) = (format!("{list}:a"), format!("{list}:b"));
    if let Ok(position) = open_cursor(&list, Some(text)) {
        assert_eq!(seal_cursor(&list, &position.unwrap()), text, "one position has one cursor");
        assert!(open_cursor(&other, Some(text)).is_err());
    }
    let sealed = seal_cursor(&list, text);
    assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert!(open_cursor(&other, Some(&sealed)).is_err());
    if text.len() <= POSITION_BYTES {
        assert_eq!(open_cursor(&list, Some(&sealed)).unwrap().as_deref(), Some(text));
    }
}
