//! The stage's engines behind one address, as AWS's services are for a function whose endpoint is set.

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::serve::ListenerExt;
use reqwest::Url;
use tokio::net::TcpListener;

use crate::rig::Rig;

#[derive(Debug, Clone)]
struct Engines {
    client: reqwest::Client,
    table: String,
    queues: String,
}

/// Starts it; its address.
pub(super) async fn start(rig: &Rig) -> Result<String> {
    let stage = &rig.world.stage;
    let engines = Engines {
        client: reqwest::Client::new(),
        table: stage.dynamodb_endpoint().to_owned(),
        queues: Url::parse(stage.queue_url("FulfillQueue")?)?.origin().ascii_serialization(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    let app = Router::new().fallback(forward).with_state(engines);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(format!("http://{address}"))
}

async fn forward(
    State(engines): State<Engines>,
    method: Method,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, StatusCode> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let engine = if target.starts_with("AmazonSQS") { &engines.queues } else { &engines.table };
    let request = engines.client.request(method, engine);
    headers.remove(header::HOST);
    let answer = request.headers(headers).body(body).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
        response = response.header(header::CONTENT_TYPE, kind);
    }
    let body = answer.bytes().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    response.body(Body::from(body)).map_err(|_| StatusCode::BAD_GATEWAY)
}
