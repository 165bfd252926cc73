//! The OpenAPI document, put together from the functions' types.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement};

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

/// The document as text, as it is kept.
pub fn text() -> String {
    let mut text = document().to_pretty_json().unwrap();
    text.push('\n');
    text
}
