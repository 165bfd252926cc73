//! Subscriptions: a plan is started, once for each subscription and price, when the subscription is active.
//!
//! A trial is no start: the subscription becomes active when the trial ends. The moment of the start is that of the
//! subscription's item, or the end of the trial where there was one. Every later event of the subscription says the same
//! moment; so one that was there before the referee signed up earns nothing afterwards, whatever is changed in it.
//!
//! Metadata is that with which it became active. Later metadata is not looked at: a team may write there what it likes as
//! often as it likes, and labels are only ever added.

use chrono::{DateTime, Utc};

use crate::fact::{Fact, Payer};
use crate::id::{ProcessorRef, SourceId, digest};
use crate::source::{Labels, SourceState};
use crate::webhook::document::{Document, require};
use crate::webhook::{EventError, PLAN_STARTED, Said, plan_started};

use super::invoice::{metadata_labels, put};
use super::lines;
use super::payer::{customer, external_id, link, promotion, promotions};

/// Most items of a subscription that are looked at; Stripe allows twenty.
const ITEMS_MAX: usize = 20;
/// Longest status that is looked at, in bytes.
const STATUS_BYTES_MAX: usize = 32;

/// A subscription as it is now: whose it is, and the plans that it started if it is active.
pub(super) fn started(event: &Document) -> Result<Said, EventError> {
    let referee = external_id(event, &["/data/object"])?;
    let mut payer = Payer { external_id: referee, customer: customer(event)?, ..Payer::default() };
    let links = link(payer.customer.as_ref(), payer.external_id.as_ref()).into_iter().collect();
    if event.text("/data/object/status")? != Some("active") {
        return Ok(Said { facts: Vec::new(), links });
    }
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    promotion(event, "/data/object/discount", &mut payer.promotions);
    promotions(event, &["/data/object/discounts".to_owned()], &mut payer.promotions);
    let labels = if became_active(event) { metadata_labels(event) } else { Labels::new() };
    let mut facts: Vec<Fact> = Vec::new();
    for item in 0..event.length("/data/object/items/data", ITEMS_MAX) {
        let item = format!("/data/object/items/data/{item}");
        let Some(price) = lines::price(event, &item) else { continue };
        let source = plan_of(&id, price);
        // Two items of one price are one plan.
        if facts.iter().all(|known| known.source != source) {
            let state = SourceState {
                labels: item_labels(event, &labels, &item, price),
                ..SourceState::happened(moment(event, &item)?, None)
            };
            facts.push(Fact::of(source, payer.clone(), state));
        }
    }
    Ok(Said { facts, links })
}

/// Whether an active subscription is new, or was on its way to become active until this event.
fn became_active(event: &Document) -> bool {
    let before = event.short_text("/data/previous_attributes/status", STATUS_BYTES_MAX);
    matches!(event.text("/type"), Ok(Some("customer.subscription.created")))
        || before.is_some_and(|status| status == "incomplete" || status == "trialing")
}

/// The name of an effect: a price of a subscription. Ids of old plans may hold anything and are hashed then.
fn plan_of(subscription: &ProcessorRef, price: &str) -> SourceId {
    let reference = ProcessorRef::parse(&format!("{subscription}:{price}"))
        .unwrap_or_else(|_| ProcessorRef::of_hash(digest(PLAN_STARTED, &[subscription.as_str(), price])));
    plan_started(reference)
}

fn item_labels(event: &Document, all: &Labels, item: &str, price: &str) -> Labels {
    let mut labels = all.clone();
    put(&mut labels, "plan", Some(price));
    put(&mut labels, "product", lines::product(event, item));
    labels
}

fn moment(event: &Document, item: &str) -> Result<DateTime<Utc>, EventError> {
    let happened = require("/created", event.time("/created")?)?;
    let made =
        [format!("{item}/created"), "/data/object/created".to_owned(), "/data/object/start_date".to_owned()];
    let mut begun = None;
    for pointer in made {
        if begun.is_none() {
            begun = event.time(&pointer)?;
        }
    }
    let begun = begun.unwrap_or(happened);
    // A trial that was just extended may end later than the event that says so.
    let trial = event.time("/data/object/trial_end")?.filter(|end| *end <= happened);
    Ok(trial.map_or(begun, |end| end.max(begun)))
}

#[cfg(test)]
#[path = "subscription_tests.rs"]
mod tests;
