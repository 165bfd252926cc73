//! The HTTP front: gives each request to the function that the template's routes name, as API Gateway does.

use std::sync::Arc;

use aws::http::Problem;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::control;
use crate::core::{Core, HALTED, panic_message};
use crate::handler::Handler;
use crate::template::Route;

/// The most requests in functions at a time; the others wait. Lambda would run more of them, but here each holds
/// sockets of this one process.
const REQUESTS_MAX: usize = 64;

/// The router of the stage's port.
pub(crate) fn router(core: Arc<Core>) -> Router {
    let gateway = Gateway { core: core.clone(), slots: Arc::new(Semaphore::new(REQUESTS_MAX)) };
    let functions = Router::new().fallback(forward).with_state(gateway);
    functions.nest("/_local", control::router(core))
}

#[derive(Clone)]
struct Gateway {
    core: Arc<Core>,
    slots: Arc<Semaphore>,
}

async fn forward(State(gateway): State<Gateway>, request: Request) -> Response {
    let routes = gateway.core.template.routes();
    match find_route(routes, request.method().as_str(), request.uri().path()) {
        Found::Route(route) => call(&gateway, &route.function, request).await,
        Found::PathOnly => (StatusCode::NOT_FOUND, Json(json!({ "message": "Not Found" }))).into_response(),
        Found::Nothing => Problem::new(404, "route_not_found", "There is no such route.").into_response(),
    }
}

async fn call(gateway: &Gateway, function: &str, request: Request) -> Response {
    let Some(Handler::Http(router)) = gateway.core.handlers.get(function).cloned() else {
        return failed(function, "it is not built");
    };
    let Ok(slot) = gateway.slots.clone().acquire_owned().await else {
        return failed(function, "the stage is closing");
    };
    // A task of its own: as in Lambda, a function runs on when its caller hangs up, and a panic ends it alone.
    let answer = tokio::spawn(async move {
        let answer = router.oneshot(request).await;
        drop(slot);
        answer
    });
    tokio::select! {
        answer = answer => match answer {
            Ok(answer) => answer.unwrap_or_else(|never| match never {}),
            Err(error) => failed(function, &panic_message(error)),
        },
        // A killed process would answer nothing at all; the caller learns the same from this, but at once.
        () = gateway.core.faults.halted() => (StatusCode::BAD_GATEWAY, HALTED).into_response(),
    }
}

/// What API Gateway answers when a function fails.
fn failed(function: &str, error: &str) -> Response {
    tracing::error!(function, error, "the invocation failed");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "message": "Internal Server Error" }))).into_response()
}

/// What the routes have for a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// The route to take.
    Route(&'a Route),
    /// There are routes for this path, but not with this method.
    PathOnly,
    /// No route has this path.
    Nothing,
}

/// Finds the most specific route: a plain segment wins over `{name}`, and `{name+}` comes last.
pub(crate) fn find_route<'a>(routes: impl Iterator<Item = &'a Route>, method: &str, path: &str) -> Found<'a> {
    let (mut best, mut path_known) = (None, false);
    for route in routes {
        let Some(rank) = match_path(&route.path, path) else {
            continue;
        };
        path_known = true;
        if route.method == method && best.as_ref().is_none_or(|(best, _)| rank < *best) {
            best = Some((rank, route));
        }
    }
    match best {
        Some((_, route)) => Found::Route(route),
        None if path_known => Found::PathOnly,
        None => Found::Nothing,
    }
}

/// How a segment of a route matches; the smaller, the more specific.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Plain,
    Name,
    Greedy,
}

fn match_path(pattern: &str, path: &str) -> Option<Vec<Fit>> {
    let mut segments = path.split('/');
    let mut fits = Vec::new();
    for part in pattern.split('/') {
        let segment = segments.next()?;
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        match name {
            None if part == segment => fits.push(Fit::Plain),
            Some(_) if segment.is_empty() => return None,
            Some(name) if name.ends_with('+') => {
                fits.push(Fit::Greedy);
                return Some(fits);
            }
            Some(_) => fits.push(Fit::Name),
            None => return None,
        }
    }
    segments.next().is_none().then_some(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<Route> {
        let paths = [
            ("GET", "/v1/codes/{code}"),
            ("POST", "/v1/codes/{code}"),
            ("GET", "/v1/codes/mine"),
            ("GET", "/v1/decisions/{source+}"),
            ("GET", "/openapi.json"),
        ];
        let route = |(method, path): (&str, &str)| Route {
            method: method.to_owned(),
            path: path.to_owned(),
            function: "TestFunction".to_owned(),
        };
        paths.map(route).into()
    }

    fn found(method: &str, path: &str) -> String {
        match find_route(routes().iter(), method, path) {
            Found::Route(route) => route.path.clone(),
            Found::PathOnly => "path only".to_owned(),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_name_takes_one_segment_that_is_not_empty() {
        assert_eq!(found("GET", "/v1/codes/ABC-1234"), "/v1/codes/{code}");
        assert_eq!(found("GET", "/v1/codes/"), "nothing");
        assert_eq!(found("GET", "/v1/codes"), "nothing");
        assert_eq!(found("GET", "/v1/codes/ABC-1234/"), "nothing");
    }

    #[test]
    fn a_plain_segment_wins_over_a_name() {
        assert_eq!(found("GET", "/v1/codes/mine"), "/v1/codes/mine");
        assert_eq!(found("POST", "/v1/codes/mine"), "/v1/codes/{code}");
    }

    #[test]
    fn a_greedy_name_takes_the_rest_of_the_path() {
        assert_eq!(found("GET", "/v1/decisions/invoice/stripe/in_123"), "/v1/decisions/{source+}");
        assert_eq!(found("GET", "/v1/decisions/"), "nothing");
    }

    #[test]
    fn a_known_path_with_another_method_is_told_apart_from_an_unknown_path() {
        assert_eq!(found("DELETE", "/openapi.json"), "path only");
        assert_eq!(found("GET", "/openapi.yaml"), "nothing");
    }
}
