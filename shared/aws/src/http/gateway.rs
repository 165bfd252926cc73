//! What API Gateway hands to a router.

use std::convert::Infallible;

use axum::Router;
use axum::http::header::HOST;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent};
use serde::Serialize;
use tower::{Service, ServiceExt as _};

/// The service that Lambda calls for a router. Callers' requests come as events; one whose address no URI can hold as it
/// stands (`?limit=<5>`) would end the invocation with a panic, so it is percent-encoded first.
pub fn service(
    router: Router,
) -> impl Service<LambdaEvent<LambdaRequest>, Response: Serialize, Error = Infallible, Future: Send> {
    Adapter::from(router).map_request(readable)
}

/// The same event with an address that can be read.
fn readable(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        let path = request.raw_path.as_deref().unwrap_or_default();
        let path = path.strip_prefix('/').unwrap_or(path);
        request.raw_path = Some(format!("/{}", encoded(path, b"")));
        request.raw_query_string = request.raw_query_string.as_deref().map(|query| encoded(query, b"?"));
        // Nothing asks for whom the request was; the parts of the address that callers choose have to be an address, too.
        request.headers.remove(HOST);
        request.headers.remove("x-forwarded-proto");
        request.request_context.domain_name = None;
    }
    event
}

/// The text with everything percent-encoded that may not stand in a path, but for what else is `accepted`.
fn encoded(text: &str, accepted: &[u8]) -> String {
    let mut readable = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%|[]".contains(&byte);
        if plain || accepted.contains(&byte) {
            readable.push(char::from(byte));
        } else {
            readable.push_str(&format!("%{byte:02X}"));
        }
    }
    readable
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;
    use axum::routing::get;
    use lambda_http::Context;
    use serde_json::{Value, json};

    use super::*;

    async fn answer(path: &str, query: &str, host: &str) -> Value {
        let echo = get(async |uri: Uri| format!("{} {}", uri.path(), uri.query().unwrap_or_default()));
        let event = json!({"version": "2.0", "rawPath": path, "rawQueryString": query,
            "headers": {"host": host, "x-forwarded-proto": "https"}, "isBase64Encoded": false,
            "requestContext": {"stage": "$default", "domainName": host, "http": {"method": "GET", "path": path}}});
        let event = serde_json::from_str(&event.to_string()).unwrap();
        let answer =
            service(Router::new().fallback(echo)).oneshot(LambdaEvent::new(event, Context::default()));
        serde_json::to_value(answer.await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn an_address_arrives_as_it_was_sent() {
        for path in ["/", "/v1/codes/ABC-1234", "/v1/programs/a%2Fb", "/v1/referrals/auth0|a:b.c"] {
            for query in ["", "limit=5&cursor=a-_%20b", "participant=a|b:c&x=%C3%A4?/+"] {
                assert_eq!(answer(path, query, "api.example.com").await["body"], format!("{path} {query}"));
            }
        }
    }

    #[tokio::test]
    async fn an_address_that_no_uri_can_hold_is_encoded() {
        let body =
            answer("/v1/codes/ABC", "limit=<5>&name=\"a b\"#ä", "api.example.com").await["body"].clone();
        assert_eq!(body, "/v1/codes/ABC limit=%3C5%3E&name=%22a%20b%22%23%C3%A4");
        assert_eq!(answer("/v1/<a>?b#c", "", "x").await["body"], "/v1/%3Ca%3E%3Fb%23c ");
        assert_eq!(answer("", "", "x").await["body"], "/ ");
    }

    #[tokio::test]
    async fn the_host_that_a_caller_names_is_not_looked_at() {
        for host in ["", "a b", "a:99999", "[", "\u{e4}"] {
            assert_eq!(answer("/v1", "", host).await["body"], "/v1 ", "{host:?}");
        }
    }
}
