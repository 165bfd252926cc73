//! The one call of Secrets Manager that functions make, answered over its real wire protocol, so that the same SDK code
//! runs here and in the cloud.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const TARGET: &str = "secretsmanager.GetSecretValue";

/// Starts the responder on a free loopback port; `secrets` is by ARN.
pub(crate) async fn start(secrets: BTreeMap<String, String>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    super::serve(listener, Router::new().route("/", post(answer)).with_state(Arc::new(secrets)));
    Ok(address)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
}

/// The body is taken as text: the SDK sends `application/x-amz-json-1.1`, which the JSON extractor would refuse.
async fn answer(
    State(secrets): State<Arc<BTreeMap<String, String>>>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, Json<Value>) {
    if headers.get("x-amz-target").is_none_or(|target| target != TARGET) {
        return refuse("UnknownOperationException", "the local stage knows GetSecretValue only");
    }
    let Ok(request) = serde_json::from_str::<GetSecretValue>(&body) else {
        return refuse("InvalidParameterException", "SecretId is missing");
    };
    match secrets.get(&request.secret_id) {
        Some(value) => {
            let answer =
                json!({ "ARN": request.secret_id, "SecretString": value, "VersionStages": ["AWSCURRENT"] });
            (StatusCode::OK, Json(answer))
        }
        None => refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
    }
}

fn refuse(kind: &str, message: &str) -> (StatusCode, Json<Value>) {
    (StatusCode::BAD_REQUEST, Json(json!({ "__type": kind, "Message": message })))
}
