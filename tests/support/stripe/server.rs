//! The account on a port of its own.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::account::{Account, Outcome};
use super::wire::Request;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    base: String,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves an account.
    pub async fn start(account: Account) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(account);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, serving }
    }

    /// Where it is: what stands for `https://api.stripe.com`.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(account): State<Account>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    match account.handle(&Request::read(method.as_str(), &uri.to_string(), headers, &body)) {
        Outcome::Silent => std::future::pending().await,
        Outcome::Broken => {
            // An answer that breaks off: so does the connection.
            let broken =
                futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("broken on purpose"))]);
            Body::from_stream(broken).into_response()
        }
        Outcome::Answered(told) => {
            let status = StatusCode::from_u16(told.status).unwrap();
            let mut response = (status, told.body).into_response();
            for (name, value) in told.headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
    }
}
