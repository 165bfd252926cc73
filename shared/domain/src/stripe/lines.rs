//! The lines of an invoice, in their shapes before and since basil.
//!
//! What a line comes to: its amount, less its discounts, less credits that are applied before tax, less tax that its
//! amount includes. Tax on top is not part of a line's amount.
//!
//! | | before basil | since |
//! |---|---|---|
//! | price, product | `price.id`, `price.product`; `plan.id`, `plan.product` | `pricing.price_details` |
//! | proration | `proration` | `parent.subscription_item_details`, `parent.invoice_item_details` |
//! | tax | `tax_amounts[]` with `inclusive` | `taxes[]` with `tax_behavior` |
//! | discounts | `discount_amounts[]` | the same |
//! | credits | - | `pretax_credit_amounts[]` of type `credit_balance_transaction` |

use std::collections::BTreeMap;

use crate::id::ProcessorRef;
use crate::money::AMOUNT_MAX;
use crate::source::{LABEL_BYTES_MAX, LINES_MAX, Line};
use crate::webhook::document::Document;

/// Most discounts, taxes and credits of one line.
const PARTS_MAX: usize = 100;

/// The lines that an event has of its invoice.
pub(super) struct Lines {
    /// By their own id.
    pub(super) known: BTreeMap<ProcessorRef, Line>,
    /// Whether those are all: Stripe puts ten into an event.
    pub(super) complete: bool,
}

/// Reads the lines. One that cannot be read is left out and refuses nothing; the lines are then not complete.
pub(super) fn read(event: &Document) -> Lines {
    let list = "/data/object/lines";
    let count = event.length(&format!("{list}/data"), LINES_MAX.saturating_add(1));
    let lines = (0..count.min(LINES_MAX)).filter_map(|index| line(event, &format!("{list}/data/{index}")));
    let known: BTreeMap<_, _> = lines.collect();
    let ended = matches!(event.flag(&format!("{list}/has_more")), Ok(Some(false)));
    let complete = ended && known.len() == count;
    Lines { known, complete }
}

/// The price of a line, in any of its places.
pub(super) fn price<'a>(event: &'a Document, line: &str) -> Option<&'a str> {
    first(event, line, &["/price/id", "/pricing/price_details/price", PRICE_EXPANDED, "/plan/id"])
}

/// The product of a line, in any of its places.
pub(super) fn product<'a>(event: &'a Document, line: &str) -> Option<&'a str> {
    let places = [
        "/price/product",
        "/price/product/id",
        "/pricing/price_details/product",
        PRODUCT_EXPANDED,
        "/plan/product",
    ];
    first(event, line, &places)
}

const PRICE_EXPANDED: &str = "/pricing/price_details/price/id";
const PRODUCT_EXPANDED: &str = "/pricing/price_details/product/id";

fn first<'a>(event: &'a Document, object: &str, places: &[&str]) -> Option<&'a str> {
    places.iter().find_map(|place| event.short_text(&format!("{object}{place}"), LABEL_BYTES_MAX))
}

fn line(event: &Document, line: &str) -> Option<(ProcessorRef, Line)> {
    let id = event.reference(&format!("{line}/id")).ok()??;
    let gross = event.signed(&format!("{line}/amount")).ok()??;
    let is = |place: String, expected: &str| event.short_text(&place, LABEL_BYTES_MAX) == Some(expected);
    let says = |place: String| matches!(event.flag(&place), Ok(Some(true)));
    let less = [
        sum(event, &format!("{line}/discount_amounts"), |_| true)?,
        sum(event, &format!("{line}/tax_amounts"), |tax| says(format!("{tax}/inclusive")))?,
        sum(event, &format!("{line}/taxes"), |tax| is(format!("{tax}/tax_behavior"), "inclusive"))?,
        sum(event, &format!("{line}/pretax_credit_amounts"), |credit| {
            is(format!("{credit}/type"), "credit_balance_transaction")
        })?,
    ];
    let amount = less.into_iter().try_fold(gross, i64::checked_sub)?;
    let prorations = [
        "/proration",
        "/parent/subscription_item_details/proration",
        "/parent/invoice_item_details/proration",
    ];
    let line = Line {
        amount: (-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount).then_some(amount)?,
        plan: price(event, line).map(str::to_owned),
        product: product(event, line).map(str::to_owned),
        proration: prorations.iter().any(|place| says(format!("{line}{place}"))),
    };
    Some((id, line))
}

/// The sum of those members of a list that count; `None` when one of them cannot be read.
fn sum(event: &Document, list: &str, counts: impl Fn(&str) -> bool) -> Option<i64> {
    let members = event.members(list, PARTS_MAX).ok()?.unwrap_or_default();
    let mut amounts = members.iter().filter(|member| counts(member)).map(|member| format!("{member}/amount"));
    amounts.try_fold(0_i64, |sum, pointer| sum.checked_add(event.signed(&pointer).ok()??))
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
