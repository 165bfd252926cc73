//! Who it is: the customer, the caller's own id in metadata, the e-mail address, the promotion codes.

use std::collections::BTreeSet;

use crate::fact::{Customer, Email, Link, PROMOTIONS_MAX};
use crate::id::{EXTERNAL_ID_BYTES_MAX, ExternalId, ProcessorRef, SourceId};
use crate::webhook::EventError;
use crate::webhook::document::{Document, refuse, require};

use super::{EXTERNAL_ID_KEY, processor};

/// Longest e-mail address that is looked at, in bytes.
const EMAIL_BYTES_MAX: usize = 320;

/// Stripe's customer that an event's object names.
pub(super) fn customer(event: &Document) -> Result<Option<Customer>, EventError> {
    let reference = event.reference("/data/object/customer")?;
    Ok(reference.map(|reference| Customer { processor: processor(), reference }))
}

/// The payment intent and the charge that an object names, in this order.
pub(super) fn payments_of(event: &Document, object: &str) -> Result<Vec<SourceId>, EventError> {
    let intent = event.reference(&format!("{object}/payment_intent"))?;
    let charge = event.reference(&format!("{object}/charge"))?;
    Ok([intent, charge].into_iter().flatten().map(|id| SourceId::payment(processor(), id)).collect())
}

/// The caller's own id, in the first of these objects whose metadata has one.
pub(super) fn external_id(event: &Document, objects: &[&str]) -> Result<Option<ExternalId>, EventError> {
    for object in objects {
        let pointer = format!("{object}/metadata/{EXTERNAL_ID_KEY}");
        if let Some(text) = event.text(&pointer)? {
            return ExternalId::parse(text).map(Some).map_err(|error| refuse(&pointer, error));
        }
    }
    Ok(None)
}

/// A text that may be anything, such as the reference that a page gave a checkout session: an id if it can be one.
pub(super) fn possible_id(event: &Document, pointer: &str) -> Option<ExternalId> {
    ExternalId::parse(event.short_text(pointer, EXTERNAL_ID_BYTES_MAX)?).ok()
}

/// `customer.created`, `customer.updated`: the object is the customer.
pub(super) fn of_customer(event: &Document) -> Result<Option<Link>, EventError> {
    let reference = require("/data/object/id", event.reference("/data/object/id")?)?;
    let customer = Customer { processor: processor(), reference };
    Ok(link(Some(&customer), external_id(event, &["/data/object"])?.as_ref()))
}

/// The link between a customer and a referee, where both are known.
pub(super) fn link(customer: Option<&Customer>, referee: Option<&ExternalId>) -> Option<Link> {
    let (customer, referee) = customer.zip(referee)?;
    Some(Link { customer: customer.clone(), referee: referee.clone() })
}

/// The e-mail address in the first of these places that has one. Only looked at: what is none refuses nothing.
pub(super) fn email(event: &Document, places: &[&str]) -> Option<Email> {
    places.iter().find_map(|place| Email::parse(event.short_text(place, EMAIL_BYTES_MAX)?))
}

/// Adds the promotion code of each discount in these lists: its id, and the code itself where it is expanded.
/// Only looked at: what cannot be a code is left out, and refuses nothing.
pub(super) fn promotions(event: &Document, lists: &[String], found: &mut BTreeSet<ProcessorRef>) {
    for list in lists {
        for index in 0..event.length(list, PROMOTIONS_MAX) {
            promotion(event, &format!("{list}/{index}"), found);
        }
    }
}

/// The promotion code of one discount, in the places that it has had so far.
pub(super) fn promotion(event: &Document, discount: &str, found: &mut BTreeSet<ProcessorRef>) {
    for owner in ["", "/source", "/discount", "/discount/source"] {
        let code = format!("{discount}{owner}/promotion_code");
        for place in [code.clone(), format!("{code}/id"), format!("{code}/code")] {
            let text = event.short_text(&place, EXTERNAL_ID_BYTES_MAX);
            let usable = text.and_then(|text| ProcessorRef::parse(text).ok());
            found.extend(usable.filter(|_| found.len() < PROMOTIONS_MAX));
        }
    }
}
