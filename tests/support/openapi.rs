//! The OpenAPI document, put together from the functions' types.

use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder,
    Ref, Required, ResponseBuilder, SecurityRequirement,
};

/// The document that `docs/openapi.json` holds.
pub fn document() -> OpenApi {
    let description = "Issues referral codes, binds new customers to whoever referred them, decides what each payment \
        earns, keeps the ledger, and takes back what is refunded. Amounts are integer minor units with an ISO 4217 code. \
        Errors are RFC 9457 problems; docs/problems.md lists every code.";
    let info =
        InfoBuilder::new().title("Referral engine").version("1").description(Some(description)).build();
    let mut components = Components::new();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An API key (rk_live_... or rk_test_...); the root key for POST /v1/organizations alone.",
        ))
        .build();
    components.add_security_scheme("key", SecurityScheme::Http(bearer));
    let none: [&str; 0] = [];
    let mut document = OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("key", none)]))
        .webhooks(Some(PathsBuilder::new().path("event", event())))
        .build();
    for part in [
        issue_code::openapi(),
        attribute_signup::openapi(),
        process_invoice::openapi(),
        manage_program::openapi(),
    ] {
        document.merge(part);
    }
    document
}

/// What the engine sends to an event destination.
fn event() -> PathItem {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Told"))).build();
    let body = RequestBodyBuilder::new().content("application/json", body).required(Some(Required::True));
    let header = |name: &str, description: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build()
    };
    let operation = OperationBuilder::new()
        .tag("events")
        .operation_id(Some("event"))
        .summary(Some("An event happened"))
        .description(Some(
            "Signed by the Standard Webhooks scheme, and sent again until it is taken; see docs/webhooks.md.",
        ))
        .parameter(header("webhook-id", "The event's id: drop a repetition by it"))
        .parameter(header("webhook-timestamp", "When this attempt was made, in seconds since 1970"))
        .parameter(header("webhook-signature", "One signature or more, with spaces in between"))
        .request_body(Some(body.build()))
        .response(
            "2XX",
            ResponseBuilder::new().description("The event was taken; any other answer is a failure"),
        )
        .build();
    PathItem::new(HttpMethod::Post, operation)
}

/// The document as text, as it is kept.
pub fn text() -> String {
    let mut text = document().to_pretty_json().unwrap();
    text.push('\n');
    text
}
