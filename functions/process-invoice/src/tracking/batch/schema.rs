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

/// How one kind of item is shown.
struct Item {
    kind: &'static str,
    name: &'static str,
    body: RefOr<Schema>,
    /// Adds the schemas that the body refers to.
    add_more: fn(&mut Schemas),
}

impl Item {
    fn of<R: ToSchema>(kind: &'static str, name: &'static str) -> Self {
        Self { kind, name, body: R::schema(), add_more: R::schemas }
    }

    /// The body with its `type`.
    fn typed(self) -> (String, RefOr<Schema>) {
        let mut body = self.body;
        if let RefOr::T(Schema::Object(object)) = &mut body {
            let property = ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
            let property = property.enum_values(Some([self.kind])).description(Some("What the item is."));
            object.properties.insert("type".to_owned(), property.into());
            object.required.insert(0, "type".to_owned());
        }
        (self.name.to_owned(), body)
    }
}

fn items() -> [Item; 7] {
    [
        Item::of::<InvoicePaidRequest>("invoice_paid", "InvoicePaidItem"),
        Item::of::<RefundRequest>("refund", "RefundItem"),
        Item::of::<DisputeRequest>("dispute", "DisputeItem"),
        Item::of::<CreditRequest>("credit", "CreditItem"),
        Item::of::<VoidRequest>("void", "VoidItem"),
        Item::of::<EventRequest>("event", "EventItem"),
        Item::of::<PayoutRequest>("payout", "PayoutItem"),
    ]
}

impl PartialSchema for BatchItem {
    fn schema() -> RefOr<Schema> {
        let place = |name: &str| format!("#/components/schemas/{name}");
        let mapping = items().map(|item| (item.kind.to_owned(), place(item.name)));
        let mut one_of = OneOfBuilder::new()
            .description(Some("The body of a single call, with its type."))
            .discriminator(Some(Discriminator::with_mapping("type", mapping)));
        for item in items() {
            one_of = one_of.item(Ref::from_schema_name(item.name));
        }
        one_of.into()
    }
}

impl ToSchema for BatchItem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("BatchItem")
    }

    fn schemas(schemas: &mut Schemas) {
        for item in items() {
            (item.add_more)(schemas);
            schemas.push(item.typed());
        }
    }
}
