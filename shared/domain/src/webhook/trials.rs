//! What the adapters' tests have in common: samples with a member changed, every order of a story, and arbitrary JSON.

use proptest::prelude::*;
use serde_json::Value;

use super::{Event, EventError};
use crate::fact::Fact;
use crate::money::AMOUNT_MAX;
use crate::source::SourceState;

/// An adapter's reader.
pub(crate) type Parse = fn(&[u8]) -> Result<Event, EventError>;

/// The only fact of an event.
pub(crate) fn fact(parse: Parse, body: &str) -> Fact {
    let facts = parse(body.as_bytes()).unwrap().facts;
    <[Fact; 1]>::try_from(facts).unwrap().into_iter().next().unwrap()
}

/// The sample with `value` in the place of what `pointer` names.
pub(crate) fn with(body: &str, pointer: &str, value: Value) -> String {
    let mut event: Value = serde_json::from_str(body).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap();
    if let Some(list) = parent.as_array_mut() {
        list[field.parse::<usize>().unwrap()] = value;
    } else {
        parent.as_object_mut().unwrap().insert(field.to_owned(), value);
    }
    event.to_string()
}

/// The pointer of the field that an event is refused for.
pub(crate) fn refusal(parse: Parse, body: &str) -> String {
    match parse(body.as_bytes()) {
        Err(EventError::Field { pointer, problem }) if !problem.is_empty() => pointer,
        other => panic!("{other:?}"),
    }
}

/// What every order of these events, joined with duplicates, ends in: one state.
pub(crate) fn in_any_order(parse: Parse, bodies: &[&str]) -> SourceState {
    let facts: Vec<Fact> = bodies.iter().flat_map(|body| parse(body.as_bytes()).unwrap().facts).collect();
    assert!(facts.iter().all(|fact| fact.source == facts[0].source), "one source has all of the story");
    let joined = |order: &[usize]| {
        let twice = order.iter().chain(order.iter().rev());
        twice.fold(SourceState::default(), |state, index| state.merge(&facts[*index].state).unwrap())
    };
    let first = joined(&(0..facts.len()).collect::<Vec<_>>());
    for order in orders(facts.len()) {
        assert_eq!(joined(&order), first, "{order:?}");
    }
    first
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(count - 1) {
        for place in 0..=shorter.len() {
            let mut order = shorter.clone();
            order.insert(place, count - 1);
            all.push(order);
        }
    }
    all
}

/// Whatever JSON can be.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[-0-9.eT:Z]{0,24}".prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The sample with its `choice`-th value replaced.
pub(crate) fn spoilt(body: &str, choice: usize, value: &Value) -> String {
    fn replace(place: &mut Value, left: &mut usize, value: &Value) -> bool {
        if *left == 0 {
            *place = value.clone();
            return true;
        }
        *left -= 1;
        if let Some(list) = place.as_array_mut() {
            return list.iter_mut().any(|inner| replace(inner, left, value));
        }
        let mut members = place.as_object_mut().into_iter().flat_map(|map| map.values_mut());
        members.any(|inner| replace(inner, left, value))
    }
    let mut event: Value = serde_json::from_str(body).unwrap();
    replace(&mut event, &mut { choice }, value);
    event.to_string()
}

/// Reads what may be anything: it is answered, and no amount leaves its bounds.
pub(crate) fn is_answered(parse: Parse, body: &[u8]) {
    let Ok(event) = parse(body) else { return };
    for fact in event.facts {
        let state = &fact.state;
        let backs = state.refunds.values().chain(state.credits.values()).map(|refund| refund.amount);
        let disputes = state.disputes.values().map(|dispute| dispute.amount);
        let amounts = backs.chain(disputes).chain(state.out_of_band.values().copied());
        let amounts = amounts.chain(state.payment.as_ref().map(|payment| payment.amount));
        assert!(amounts.into_iter().all(|amount| (0..=AMOUNT_MAX).contains(&amount)));
        assert!(state.lines.values().all(|line| (-AMOUNT_MAX..=AMOUNT_MAX).contains(&line.amount)));
        assert!(state.standing_amount() >= 0 && SourceState::default().merge(state).is_ok());
    }
}
