//! Stripe's minor units. They are those of ISO 4217 but for three currencies, and everything behind this adapter is in
//! those of ISO 4217.
//!
//! | currency | Stripe | ISO 4217 | 500 of Stripe's are |
//! |---|---|---|---|
//! | ISK, UGX | two decimals that are always 00 | none | 5 |
//! | MGA | none | two | 50000 |
//!
//! HUF and TWD have two decimals in charges and invoices, as in ISO 4217; only Stripe's payouts take them in whole units,
//! and nothing here comes from those. (<https://docs.stripe.com/currencies>)

use crate::fact::Fact;
use crate::money::{AMOUNT_MAX, Currency};
use crate::source::{Dispute, Line, Payment, Refund, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::refuse;

/// How many of Stripe's minor units are how many of ISO 4217's.
fn ratio(currency: Currency) -> (i64, i64) {
    match currency.code() {
        "ISK" | "UGX" => (100, 1),
        "MGA" => (1, 100),
        _ => (1, 1),
    }
}

/// So many minor units of ISO 4217 in Stripe's; `None` where that is no whole number of them, or too large.
#[must_use]
pub fn in_stripe_units(amount: i64, currency: Currency) -> Option<i64> {
    let (theirs, ours) = ratio(currency);
    let product = amount.checked_mul(theirs)?;
    if product.checked_rem(ours)? == 0 { product.checked_div(ours) } else { None }
}

/// A fact in the minor units of ISO 4217. What Stripe would not send, a fraction of a króna, is left out.
pub(super) fn in_iso_units(fact: Fact) -> Result<Fact, EventError> {
    let Some((theirs, ours)) = fact.state.currency.map(ratio).filter(|(theirs, ours)| theirs != ours) else {
        return Ok(fact);
    };
    let too_large = || refuse("/data/object", format!("has an amount of more than {AMOUNT_MAX} minor units"));
    let amount = |amount: i64| {
        let whole = amount.checked_div(theirs).and_then(|whole| whole.checked_mul(ours));
        whole.filter(|whole| (-AMOUNT_MAX..=AMOUNT_MAX).contains(whole)).ok_or_else(too_large)
    };
    // Named one by one, so that none is forgotten.
    let SourceState {
        currency,
        payment,
        refunds,
        refunded_by_charge,
        credits,
        disputes,
        // Only weights, and filled in by the shell.
        parts,
        out_of_band,
        lines,
        lines_complete,
        voided,
        labels,
        payout,
        earned,
    } = fact.state;
    let payment = payment.map(|payment| {
        Ok(Payment {
            amount: amount(payment.amount)?,
            total: payment.total.map(amount).transpose()?,
            total_excluding_tax: payment.total_excluding_tax.map(amount).transpose()?,
            paid_at: payment.paid_at,
        })
    });
    let refund = |(id, refund): (_, Refund)| Ok((id, Refund { amount: amount(refund.amount)?, ..refund }));
    let line = |(id, line): (_, Line)| Ok((id, Line { amount: amount(line.amount)?, ..line }));
    let figure = |(id, figure): (_, i64)| Ok((id, amount(figure)?));
    let dispute =
        |(id, dispute): (_, Dispute)| Ok((id, Dispute { amount: amount(dispute.amount)?, ..dispute }));
    let state = SourceState {
        currency,
        payment: payment.transpose()?,
        refunds: refunds.into_iter().map(refund).collect::<Result<_, _>>()?,
        refunded_by_charge: refunded_by_charge.into_iter().map(figure).collect::<Result<_, _>>()?,
        credits: credits.into_iter().map(refund).collect::<Result<_, _>>()?,
        disputes: disputes.into_iter().map(dispute).collect::<Result<_, _>>()?,
        parts,
        out_of_band: out_of_band.into_iter().map(figure).collect::<Result<_, _>>()?,
        lines: lines.into_iter().map(line).collect::<Result<_, _>>()?,
        lines_complete,
        voided,
        labels,
        payout,
        earned,
    };
    Ok(Fact { state, ..fact })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::event::parse;
    use super::*;

    fn state(kind: &str, object: &Value) -> SourceState {
        let event = json!({"id": "evt_1", "type": kind, "livemode": false, "created": 1_767_225_600,
            "data": {"object": object}});
        parse(event.to_string().as_bytes()).unwrap().facts.remove(0).state
    }

    fn paid(currency: &str, amount: i64) -> SourceState {
        let object = json!({"id": "in_1", "currency": currency, "amount_paid": amount, "total": amount,
            "total_excluding_tax": amount, "customer": "cus_1"});
        state("invoice.paid", &object)
    }

    #[test]
    fn amounts_of_every_currency_come_out_in_the_units_of_iso_4217() {
        for (currency, amount, expected) in [
            ("usd", 1_099, "10.99 USD"),
            ("jpy", 500, "500 JPY"),
            ("krw", 500, "500 KRW"),
            ("vnd", 500, "500 VND"),
            ("xaf", 500, "500 XAF"),
            ("clp", 500, "500 CLP"),
            ("kwd", 5_120, "5.120 KWD"),
            ("bhd", 5_120, "5.120 BHD"),
            ("tnd", 5_120, "5.120 TND"),
            ("huf", 1_045, "10.45 HUF"),
            ("twd", 80_045, "800.45 TWD"),
            ("isk", 500, "5 ISK"),
            ("ugx", 500, "5 UGX"),
            ("mga", 500, "500.00 MGA"),
        ] {
            let state = paid(currency, amount);
            let payment = state.payment.clone().unwrap();
            assert_eq!(state.paid_money().unwrap().to_string(), expected);
            assert_eq!([payment.total, payment.total_excluding_tax], [Some(payment.amount); 2], "{currency}");
        }
    }

    #[test]
    fn what_is_refunded_of_such_a_currency_is_in_the_same_units() {
        let refund = json!({"id": "re_1", "amount": 300, "currency": "isk", "status": "succeeded",
            "payment_intent": "pi_1"});
        let charge = json!({"id": "ch_1", "currency": "isk", "amount_refunded": 200, "payment_intent": "pi_1",
            "invoice": "in_1"});
        let of_refund = state("refund.updated", &refund);
        assert_eq!(of_refund.refunded_amount(), 3);
        assert_eq!(state("charge.refunded", &charge).refunded_amount(), 2);
        let all = paid("isk", 500).merge(&of_refund).unwrap();
        assert_eq!(all.standing_amount(), 2);
    }

    #[test]
    fn what_is_told_to_stripe_is_in_its_own_units() {
        let told = |amount, code: &str| in_stripe_units(amount, Currency::parse(code).unwrap());
        for (amount, code, expected) in [
            (1_099, "USD", Some(1_099)),
            (-1_099, "USD", Some(-1_099)),
            (500, "JPY", Some(500)),
            (5_120, "KWD", Some(5_120)),
            (5, "ISK", Some(500)),
            (-5, "UGX", Some(-500)),
            (50_000, "MGA", Some(500)),
            // Stripe's ariary has no fifths, however many minor units ISO 4217 gives it.
            (50_020, "MGA", None),
            (i64::MAX, "ISK", None),
        ] {
            assert_eq!(told(amount, code), expected, "{amount} {code}");
        }
    }

    #[test]
    fn an_amount_that_becomes_too_large_is_refused() {
        let event = json!({"id": "evt_1", "type": "invoice.paid", "livemode": false, "created": 1_767_225_600,
            "data": {"object": {"id": "in_1", "currency": "mga", "amount_paid": AMOUNT_MAX}}});
        let error = parse(event.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, EventError::Field { pointer, .. } if pointer == "/data/object"));
    }
}
