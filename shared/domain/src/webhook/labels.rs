//! What an event is about, as an adapter collects it. Only looked at: what is too long or of another form is left out, and
//! refuses nothing.

use super::document::Document;
use crate::source::{LABEL_BYTES_MAX, Labels};

/// Most lines whose plan and product become labels.
pub(crate) const LABELLED_LINES_MAX: usize = 20;
/// Most keys of metadata that are kept.
const METADATA_MAX: usize = 20;

/// Labels in the making.
pub(crate) struct Collected<'a> {
    event: &'a Document,
    labels: Labels,
}

impl<'a> Collected<'a> {
    pub(crate) const fn new(event: &'a Document) -> Self {
        Self { event, labels: Labels::new() }
    }

    /// The text at a pointer, as a label of this key.
    pub(crate) fn put(&mut self, key: &str, pointer: &str) {
        if let Some(value) = self.event.short_text(pointer, LABEL_BYTES_MAX) {
            self.labels.entry(key.to_owned()).or_default().insert(value.to_owned());
        }
    }

    /// The texts of an object of the caller's own making, but for the one that names the payer.
    pub(crate) fn put_metadata(&mut self, pointer: &str, payer_key: &str) {
        for (key, value) in self.event.short_texts(pointer, LABEL_BYTES_MAX, METADATA_MAX) {
            if key != payer_key {
                self.labels.entry(format!("metadata.{key}")).or_default().insert(value.to_owned());
            }
        }
    }

    pub(crate) fn labels(self) -> Labels {
        self.labels
    }
}
