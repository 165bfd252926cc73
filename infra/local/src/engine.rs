//! The engines behind a stage, each on a loopback port of its own, reached with the real SDKs over the real protocols.

pub(crate) mod dynamodb;
pub(crate) mod secrets;
pub(crate) mod sqs;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::template::{Names, Template};
use sqs::QueueAddress;

/// The region that every ARN of the stage names.
pub(crate) const REGION: &str = "us-east-1";
/// The account that every ARN of the stage names.
pub(crate) const ACCOUNT: &str = "000000000000";

/// Serves until the runtime ends.
pub(crate) fn serve(listener: TcpListener, app: Router) {
    // An answer in two segments would else wait for the client's delayed acknowledgement: 40 ms.
    let listener = listener.tap_io(|stream| {
        // Not being able to set it costs time, nothing else.
        stream.set_nodelay(true).unwrap_or_default();
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
}

/// The endpoint URL of an engine.
pub(crate) fn endpoint(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The ARN that `Ref` of a secret answers.
pub(crate) fn secret_arn(id: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{id}")
}

/// What `Ref` and `Fn::GetAtt` answer on this stage.
pub(crate) fn names(template: &Template, queues: &BTreeMap<String, QueueAddress>, api: &str) -> Names {
    let mut names = Names::default();
    names.set_attribute("Api", "ApiEndpoint", api);
    for (parameter, default) in template.parameter_defaults() {
        names.set_reference(&parameter, default);
    }
    let pseudo = [("Region", REGION), ("AccountId", ACCOUNT), ("Partition", "aws"), ("StackName", "local")];
    for (name, value) in pseudo {
        names.set_reference(&format!("AWS::{name}"), value);
    }
    for table in &template.tables {
        names.set_reference(&table.id, &table.name);
        names.set_attribute(
            &table.id,
            "Arn",
            format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", table.name),
        );
    }
    for (id, queue) in queues {
        names.set_reference(id, &queue.url);
        names.set_attribute(id, "QueueUrl", &queue.url);
        names.set_attribute(id, "Arn", &queue.arn);
    }
    for secret in &template.secrets {
        names.set_reference(&secret.id, secret_arn(&secret.id));
        names.set_attribute(&secret.id, "Id", secret_arn(&secret.id));
    }
    for function in &template.functions {
        names.set_reference(&function.id, &function.id);
        let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", function.id);
        names.set_attribute(&function.id, "Arn", arn);
    }
    names
}
