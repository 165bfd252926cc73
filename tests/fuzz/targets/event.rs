//! Processors' events: every reader reads the same body.

use domain::fact::Fact;
use domain::id::SourceId;
use domain::money::AMOUNT_MAX;
use domain::source::SourceState;
use domain::webhook::processor::WebhookProcessor;
use domain::webhook::{Event, EventError};
use serde_json::Value;

/// No word of a refusal is as long; longer ones could only come from the body.
const WORD_BYTES_MAX: usize = 60;

pub(super) fn check(bytes: &[u8]) {
    for processor in WebhookProcessor::ALL {
        match processor.parse(bytes) {
            Ok(event) => accepted(processor, bytes, &event),
            Err(error) => refused(bytes, &error),
        }
    }
}

fn accepted(processor: WebhookProcessor, bytes: &[u8], event: &Event) {
    // What is said does not depend on how it is written.
    let value: Value = serde_json::from_slice(bytes).unwrap();
    for written in [value.to_string(), format!("{value:#}")] {
        assert_eq!(processor.parse(written.as_bytes()).as_ref(), Ok(event));
    }
    assert_eq!(event.is_ignored(), event.facts.is_empty() && event.links.is_empty());
    for link in &event.links {
        assert_eq!(link.customer.processor, processor.processor());
    }
    for fact in &event.facts {
        sound(processor, fact);
    }
}

fn sound(processor: WebhookProcessor, fact: &Fact) {
    let source = &fact.source;
    assert_eq!(SourceId::parse(&source.to_string()).as_ref(), Ok(source));
    let own = source.processor == processor.processor() || source.processor.as_str() == "plan_started";
    assert!(own, "{source} is not of {processor:?}");
    for tie in &fact.payments {
        assert!(tie.amount.is_none_or(|amount| (0..=AMOUNT_MAX).contains(&amount)));
    }
    // A state joins itself to itself, and reads back from the table.
    let state = &fact.state;
    assert_eq!(state.merge(state).as_ref(), Ok(state));
    assert_eq!(SourceState::default().merge(state).as_ref(), Ok(state));
    let written = serde_json::to_string(state).unwrap();
    assert_eq!(serde_json::from_str::<SourceState>(&written).unwrap(), *state);
    // Money is bounded, and no more goes back than came in.
    if let Some(payment) = &state.payment {
        for amount in [Some(payment.amount), payment.total, payment.total_excluding_tax] {
            assert!(amount.is_none_or(|amount| (0..=AMOUNT_MAX).contains(&amount)));
        }
        assert!((0..=payment.amount).contains(&state.standing_amount()));
    }
    let amounts = [state.refunded_amount(), state.credited_amount(), state.disputed_amount()];
    assert!(amounts.iter().all(|amount| *amount >= 0));
    assert_eq!(fact.payer.merge(&fact.payer).as_ref(), Ok(&fact.payer));
}

/// A refusal names a field, and repeats nothing of the body.
fn refused(bytes: &[u8], error: &EventError) {
    match error {
        EventError::NotJson { .. } => assert!(serde_json::from_slice::<Value>(bytes).is_err()),
        EventError::Field { pointer, problem } => {
            assert!(pointer.starts_with('/') && !problem.is_empty());
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
            assert!(pointer.bytes().all(known), "{pointer:?}");
            assert!(problem.split(' ').all(|word| word.len() < WORD_BYTES_MAX), "{problem:?}");
        }
    }
}
