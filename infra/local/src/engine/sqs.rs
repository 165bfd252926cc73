//! Embedded SQS, and the template's queues in it. Queues live in memory: what is in them is lost with the process, and
//! the sweeper sends it again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use rustack_sqs_core::config::SqsConfig;
use rustack_sqs_core::handler::RustackSqsHandler;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_http::dispatch::dispatch_operation;
use rustack_sqs_http::response::error_to_response;
use rustack_sqs_http::router::resolve_operation;
use serde_json::json;
use tokio::net::TcpListener;

use super::{ACCOUNT, REGION};
use crate::delays::Delays;
use crate::template::Queue;

/// The largest request SQS takes is a batch of 1 MiB; JSON escapes may blow it up.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What answers requests.
#[derive(Clone)]
struct Engine {
    handler: Arc<RustackSqsHandler>,
    delays: Delays,
}

/// Starts the engine on a free loopback port. Messages that are sent with a delay are given to `delays`.
pub(crate) async fn start(delays: Delays) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let engine = RustackSqs::new(SqsConfig {
        skip_signature_validation: true,
        default_region: REGION.to_owned(),
        account_id: ACCOUNT.to_owned(),
        host: address.ip().to_string(),
        port: address.port(),
    });
    let app = Router::new()
        .route("/", post(answer))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Engine { handler: Arc::new(RustackSqsHandler::new(Arc::new(engine))), delays });
    super::serve(listener, app);
    Ok(address)
}

async fn answer(State(engine): State<Engine>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if target == Some("AmazonSQS.SendMessage")
        && let Some(id) = engine.delays.hold(&body)
    {
        return Json(json!({ "MessageId": id })).into_response();
    }
    let answer = match resolve_operation(&headers) {
        Ok(operation) => dispatch_operation(engine.handler.as_ref(), operation, body).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_to_response(&error, "local")).map(Body::new)
}

/// Where a queue is.
#[derive(Debug, Clone)]
pub(crate) struct QueueAddress {
    /// What functions send to.
    pub(crate) url: String,
    /// What events name as their source.
    pub(crate) arn: String,
}

/// Creates every queue of the template; the result is by logical id.
pub(crate) async fn create_queues(
    client: &Client,
    queues: &[Queue],
) -> Result<BTreeMap<String, QueueAddress>> {
    let mut addresses = BTreeMap::new();
    for queue in queues {
        let address = create_queue(client, queue).await.with_context(|| format!("queue {}", queue.id))?;
        addresses.insert(queue.id.clone(), address);
    }
    // Only now, when every dead-letter queue is there.
    for queue in queues {
        set_redrive(client, queue, &addresses)
            .await
            .with_context(|| format!("redrive of queue {}", queue.id))?;
    }
    Ok(addresses)
}

async fn create_queue(client: &Client, queue: &Queue) -> Result<QueueAddress> {
    let created = client
        .create_queue()
        .queue_name(&queue.name)
        .attributes(QueueAttributeName::VisibilityTimeout, queue.visibility_timeout_s.to_string())
        .attributes(QueueAttributeName::MessageRetentionPeriod, queue.retention_s.to_string())
        .send()
        .await?;
    let url = created.queue_url.context("the engine gave no queue URL")?;
    Ok(QueueAddress { url, arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", queue.name) })
}

async fn set_redrive(
    client: &Client,
    queue: &Queue,
    addresses: &BTreeMap<String, QueueAddress>,
) -> Result<()> {
    let Some(redrive) = &queue.redrive else {
        return Ok(());
    };
    let here = addresses.get(&queue.id).context("it was not created")?;
    let target =
        addresses.get(&redrive.dead_letter_queue).context("its dead-letter queue is not in the template")?;
    // The embedded engine reads the count as a number only, where SQS takes a text as well.
    let policy = json!({ "deadLetterTargetArn": target.arn, "maxReceiveCount": redrive.receive_count_max });
    let request = client.set_queue_attributes().queue_url(&here.url);
    request.attributes(QueueAttributeName::RedrivePolicy, policy.to_string()).send().await?;
    Ok(())
}
