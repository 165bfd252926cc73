//! Values that cannot stand where another kind of value belongs.

use serde_json::{Value, json};

/// What no text is.
pub fn not_text() -> Vec<Value> {
    vec![json!(7), json!(true), json!([]), json!({})]
}

/// What no id of the caller's is: an e-mail address, a forged key, a path, a space, nothing, too much.
pub fn not_external_id() -> Vec<Value> {
    let texts =
        ["", " ", "ben@example.com", "ben#REFEREE", "a/b", "ben ", "bén", "a\u{0}b", &"x".repeat(129)];
    [not_text(), texts.map(Value::from).into()].concat()
}

/// What no slug is.
pub fn not_slug() -> Vec<Value> {
    [not_text(), ["", "Stripe", "a b", "a#b", &"x".repeat(41)].map(Value::from).into()].concat()
}

/// What no whole number is.
pub fn not_whole() -> Vec<Value> {
    let huge = ["1e30", "9223372036854775808", "100000000000000000000000"];
    let huge = huge.map(|text| serde_json::from_str(text).unwrap());
    [vec![json!("20000"), json!(1.5), json!(1.0), json!(true), json!([20_000]), json!({})], huge.into()]
        .concat()
}

/// What no amount is: neither below zero nor above a million millions.
pub fn not_amount() -> Vec<Value> {
    let range = [json!(-1), json!(1_000_000_000_001_i64), json!(i64::MIN), json!(i64::MAX)];
    [not_whole(), range.into()].concat()
}

pub fn not_currency() -> Vec<Value> {
    [not_text(), ["", "US", "USDX", "XXX", "XAU", "ABC", "$"].map(Value::from).into()].concat()
}

pub fn not_name(longest: usize) -> Vec<Value> {
    [not_text(), vec![json!("x".repeat(longest + 1)), json!("a\u{7}b"), json!("a\nb")]].concat()
}

pub fn not_moment() -> Vec<Value> {
    let texts = ["", "yesterday", "2026-11-22", "2026-11-22T10:00:00", "2026-13-01T00:00:00Z", "1763806800"];
    [not_text(), texts.map(Value::from).into()].concat()
}

/// What no day is.
pub fn not_day() -> Vec<Value> {
    let texts = ["", "yesterday", "2026-11-31", "2026-11-22T10:00:00Z", "22.11.2026"];
    [not_text(), texts.map(Value::from).into(), vec![Value::Null]].concat()
}

pub fn or_empty(mut values: Vec<Value>) -> Vec<Value> {
    values.extend([json!(""), json!("  "), Value::Null]);
    values
}

/// No id of the engine's own, or one that stands for nothing.
pub fn not_own_id(prefix: &str) -> Vec<Value> {
    let nobody = format!("{prefix}{}", "0".repeat(26));
    let texts = ["", "x", "anna", &nobody.to_uppercase(), &format!("{nobody}0"), "prt_", "a#b"];
    [not_text(), texts.map(Value::from).into(), vec![json!(nobody), Value::Null]].concat()
}

/// What neither yes nor no is.
pub fn not_bool() -> Vec<Value> {
    vec![json!("true"), json!(0), json!(1), json!([]), json!({})]
}

/// What no whole number of at least `least` and at most `most` is.
pub fn not_within(least: i64, most: i64) -> Vec<Value> {
    vec![json!(least - 1), json!(most + 1), json!(1.5), json!("20"), json!(true), json!(i64::MIN)]
}

/// What no label of an event is.
pub fn not_label() -> Vec<Value> {
    vec![json!(7), json!([]), json!(""), json!("x".repeat(101))]
}

/// Some of what no slug is, where the same form was tried in full elsewhere.
pub fn not_slug_short() -> Vec<Value> {
    vec![json!(7), json!(""), json!("A b"), json!("x".repeat(41))]
}

/// Some of what no amount above zero is.
pub fn not_positive() -> Vec<Value> {
    vec![json!(0), json!(-1), json!(1_000_000_000_001_i64), json!("1"), json!(1.5)]
}

/// Neither a currency nor the name of a unit.
pub fn not_unit() -> Vec<Value> {
    [
        vec![json!(7)],
        ["", "USDX", "XXX", "Points", "pts", "a unit", "abcdefghijklmnopq"].map(Value::from).into(),
    ]
    .concat()
}
