//! What an event is about, as callers say it.

use std::collections::{BTreeMap, BTreeSet};

use aws::http::FieldError;
use domain::source::{LABEL_BYTES_MAX, LABELS_MAX, Labels};
use serde::Deserialize;
use utoipa::ToSchema;

/// What the keys of metadata begin with among the labels.
const METADATA: &str = "metadata.";

/// What an event is about; rules can ask for it. At most 64 values in all, each of 1 to 100 characters.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LabelsInput {
    /// Plans or prices.
    pub plans: Vec<String>,
    /// Products.
    pub products: Vec<String>,
    /// Country, as an ISO 3166 code.
    pub country: Option<String>,
    /// Anything else, by key.
    pub metadata: BTreeMap<String, String>,
}

impl LabelsInput {
    /// The labels as they are kept; what is wrong with them is added to `errors`.
    pub(crate) fn labels(self, errors: &mut Vec<FieldError>) -> Labels {
        let mut labels = Labels::new();
        let mut put = |key: String, value: String, pointer: String| {
            let fits = |text: &str| (1..=LABEL_BYTES_MAX).contains(&text.len());
            if !fits(&value) || !fits(key.strip_prefix(METADATA).unwrap_or(&key)) {
                let detail = format!("must have 1 to {LABEL_BYTES_MAX} characters");
                errors.push(FieldError { pointer, detail });
            }
            labels.entry(key).or_default().insert(value);
        };
        for (index, plan) in self.plans.into_iter().enumerate() {
            put("plan".to_owned(), plan, format!("/labels/plans/{index}"));
        }
        for (index, product) in self.products.into_iter().enumerate() {
            put("product".to_owned(), product, format!("/labels/products/{index}"));
        }
        if let Some(country) = self.country {
            put("country".to_owned(), country, "/labels/country".to_owned());
        }
        for (key, value) in self.metadata {
            let pointer = format!("/labels/metadata/{}", key.replace('~', "~0").replace('/', "~1"));
            put(format!("{METADATA}{key}"), value, pointer);
        }
        if labels.values().map(BTreeSet::len).sum::<usize>() > LABELS_MAX {
            let detail = format!("must have at most {LABELS_MAX} values");
            errors.push(FieldError { pointer: "/labels".to_owned(), detail });
        }
        labels
    }
}
