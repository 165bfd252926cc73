//! How the OpenAPI document shows a batch's items: the bodies of the single calls, each with its `type`, told apart by it. A
//! composition of both (`allOf`) would not do: the bodies take no field that they do not know.

use std::borrow::Cow;

use utoipa::openapi::schema::{Discriminator, ObjectBuilder, OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::tracking::credit::CreditRequest;
use crate::tracking::dispute::DisputeRequest;
use crate::tracking::event::EventRequest;
use crate::tracking::invoice::InvoicePaidRequest;
use crate::tracking::payout::PayoutRequest;
use crate::tracking::refund::RefundRequest;
use crate::tracking::void::VoidRequest;

type Schemas = Vec<(String, RefOr<Schema>)>;

/// An item of a batch: `invoice_paid`, `refund`, `dispute`, `credit`, `void`, `event` or `payout`.
pub(crate) struct BatchItem;

/// Every `type`, with its item's name and schema, and what adds the schemas that it refers to.
fn items() -> [(&'static str, &'static str, RefOr<Schema>, fn(&mut Schemas)); 7] {
    [
        ("invoice_paid", "InvoicePaidItem", InvoicePaidRequest::schema(), InvoicePaidRequest::schemas),
        ("refund", "RefundItem", RefundRequest::schema(), RefundRequest::schemas),
        ("dispute", "DisputeItem", DisputeRequest::schema(), DisputeRequest::schemas),
        ("credit", "CreditItem", CreditRequest::schema(), CreditRequest::schemas),
        ("void", "VoidItem", VoidRequest::schema(), VoidRequest::schemas),
        ("event", "EventItem", EventRequest::schema(), EventRequest::schemas),
        ("payout", "PayoutItem", PayoutRequest::schema(), PayoutRequest::schemas),
    ]
}

/// A body with its `type`.
fn typed(kind: &str, body: RefOr<Schema>) -> RefOr<Schema> {
    match body {
        RefOr::T(Schema::Object(mut object)) => {
            let property = ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
            let property = property.enum_values(Some([kind])).description(Some("What the item is."));
            object.properties.insert("type".to_owned(), property.into());
            object.required.insert(0, "type".to_owned());
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

impl PartialSchema for BatchItem {
    fn schema() -> RefOr<Schema> {
        let place = |name: &str| format!("#/components/schemas/{name}");
        let mapping = items().map(|(kind, name, ..)| (kind.to_owned(), place(name)));
        let mut one_of = OneOfBuilder::new()
            .description(Some("The body of a single call, with its type."))
            .discriminator(Some(Discriminator::with_mapping("type", mapping)));
        for (_, name, ..) in items() {
            one_of = one_of.item(Ref::from_schema_name(name));
        }
        one_of.into()
    }
}

impl ToSchema for BatchItem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("BatchItem")
    }

    fn schemas(schemas: &mut Schemas) {
        for (kind, name, body, more) in items() {
            schemas.push((name.to_owned(), typed(kind, body)));
            more(schemas);
        }
    }
}
