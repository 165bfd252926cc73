use std::sync::{Arc, Mutex};

use aws::Platform;
use aws::outbound::{Reach, SystemResolver};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_types::SdkConfig;
use domain::delivery::DeliveryState;
use domain::delivery::signature::secret;
use domain::id::{DeliveryId, DestinationId, MessageId};

use super::*;

/// What a receiver does, and what it was sent.
#[derive(Debug, Clone)]
struct Receiver {
    status: Option<u16>,
    body: Vec<u8>,
    got: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpConnector for Receiver {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.got.lock().unwrap().push(request);
        let Some(status) = self.status else { return HttpConnectorFuture::new(std::future::pending()) };
        let mut response = HttpResponse::new(status.try_into().unwrap(), self.body.clone().into());
        response.headers_mut().insert("retry-after", "120");
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn receiver(status: Option<u16>, body: &[u8]) -> Receiver {
    Receiver { status, body: body.to_vec(), got: Arc::default() }
}

async fn attempt_at(receiver: &Receiver, url: &str) -> Answered {
    let platform = Platform::new(SdkConfig::builder().build(), Clock::system());
    let platform = platform.with_outbound(SharedHttpConnector::new(receiver.clone()));
    let outbound = Outbound::guarded(&platform, SystemResolver, Reach::Public);
    let now = platform.clock.now();
    let destination = DestinationRow {
        destination: DestinationId::derive(&["d"]),
        url: url.to_owned(),
        events: None,
        description: None,
        livemode: false,
        disabled: None,
        secrets: Vec::new(),
        failing_since: None,
        created_at: now,
        request_hash: String::new(),
    };
    let row = DeliveryRow {
        delivery: DeliveryId::derive(&["one"]),
        destination: destination.destination.clone(),
        event: MessageId::derive(&["e"]),
        event_type: "report.ready".to_owned(),
        body: "{}".to_owned(),
        state: DeliveryState::Pending,
        failure: None,
        tries: 0,
        next_attempt_at: Some(now),
        attempts: Vec::new(),
        claims: 1,
        created_at: now,
    };
    make(&outbound, &platform.clock, &destination, &row, &[secret(&[1; 32]), secret(&[2; 32])]).await
}

const URL: &str = "https://hooks.example.com/x";

#[tokio::test(start_paused = true)]
async fn whoever_does_not_answer_is_given_fifteen_seconds() {
    let begun = tokio::time::Instant::now();
    let answered = attempt_at(&receiver(None, b""), URL).await;
    assert_eq!(begun.elapsed().as_secs(), 15);
    assert_eq!((answered.attempt.status, answered.attempt.error), (None, Some(AttemptError::Timeout)));
    assert!(answered.attempt.detail.unwrap().contains("15000 ms"));
}

#[tokio::test]
async fn what_is_sent_is_signed_with_every_secret() {
    let receiver = receiver(Some(200), b"thanks");
    let answered = attempt_at(&receiver, URL).await;
    assert_eq!(answered.attempt.status, Some(200));
    assert_eq!(answered.attempt.answer.as_deref(), Some("thanks"));
    assert_eq!(answered.retry_after, Some(120));
    let got = receiver.got.lock().unwrap();
    let [request] = got.as_slice() else { panic!("{got:?}") };
    let header = |name: &str| request.headers().get(name).unwrap().to_owned();
    let at = DateTime::from_timestamp(header("webhook-timestamp").parse().unwrap(), 0).unwrap();
    let signed = |byte: u8| sign(&MessageId::derive(&["e"]), at, "{}", &secret(&[byte; 32])).unwrap();
    assert_eq!(header("webhook-signature"), format!("{} {}", signed(1), signed(2)));
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("user-agent"), AGENT);
    assert_eq!((request.method(), request.uri()), ("POST", URL));
}

#[tokio::test]
async fn the_status_stands_however_long_the_answer_is() {
    for status in [200, 500] {
        let huge = vec![b'x'; LIMITS.body_bytes + 1];
        let answered = attempt_at(&receiver(Some(status), &huge), URL).await;
        assert_eq!((answered.attempt.status, answered.attempt.error), (Some(status), None));
        assert_eq!(answered.attempt.answer, None);
    }
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_not_called() {
    for url in ["https://10.0.0.1/x", "http://hooks.example.com/x", "https://localhost/x"] {
        let receiver = receiver(Some(200), b"");
        let answered = attempt_at(&receiver, url).await;
        assert_eq!(answered.attempt.error, Some(AttemptError::AddressNotAllowed), "{url}");
        assert!(receiver.got.lock().unwrap().is_empty(), "{url}");
    }
}
