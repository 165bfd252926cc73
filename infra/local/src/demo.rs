//! The whole story once, as a person would like to read it: Stripe's events in their documented shapes (those of
//! `infra/events`), told to a stage over HTTP, and what the API says after each.

#![expect(clippy::indexing_slicing, reason = "a JSON value indexed by a name it lacks is null, not a panic")]

mod print;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use domain::stripe::signature;
use serde_json::{Value, json};

use crate::Stage;
use print::Printer;

/// Stripe's events of API version 2025-05-28.basil.
const PAID: &str = include_str!("../../events/stripe/basil/invoice.paid.json");
const TWIN: &str = include_str!("../../events/stripe/basil/invoice.payment_succeeded.json");
const PAYMENT: &str = include_str!("../../events/stripe/basil/invoice_payment.paid.json");
const REFUNDED: &str = include_str!("../../events/stripe/basil/charge.refunded.json");
const REFUND_FAILED: &str = include_str!("../../events/stripe/basil/refund.failed.json");
/// The payer that the events name, and the invoice.
const PAYER: &str = "account-1042";
const INVOICE: &str = "in_1QsampleNewInvoice000000";
/// The secret that this story's Stripe signs with.
const SIGNING_SECRET: &str = "whsec_of_the_demonstration";
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Runs the story on a fresh stage and prints it.
///
/// # Errors
/// When anything does not come out as it should: the story is a test, too.
pub async fn run(stage: &Stage) -> Result<()> {
    let mut story =
        Story { http: reqwest::Client::new(), base_url: stage.base_url().to_owned(), key: String::new() };
    let out = Printer;
    out.title("A referral, from the code to the nightly report")?;
    out.text(&format!("The engine runs on {} with an empty table.", story.base_url))?;

    let anna = story.set_up(stage.root_key(), &out).await?;
    story.call("POST", "/_local/clock/advance", json!({"seconds": 5})).await?;
    let paid_at = story.now().await?;
    story.payment(&out, paid_at, &anna).await?;
    story.duplicate(&out, paid_at, &anna).await?;
    story.refund(&out, &anna).await?;
    story.report(&out, paid_at).await?;
    out.title("That was the whole loop")?;
    out.text("Start it for yourself with `cargo local`, and see README.md for the calls.")
}

/// A caller of the API, and the Stripe of this story.
struct Story {
    http: reqwest::Client,
    base_url: String,
    key: String,
}

impl Story {
    /// An organization, its program, and a participant with a code; answers the participant's id.
    async fn set_up(&mut self, root_key: &str, out: &Printer) -> Result<String> {
        self.key = root_key.to_owned();
        let organization =
            self.call("POST", "/v1/organizations", json!({"name": "Example Ltd", "livemode": false})).await?;
        self.key = text(&organization["api_key"]["secret"])?;
        let terms = json!({"rules": [{"id": "commission", "amount": {"percentage": {"percent": "10"}}}]});
        let program = json!({"name": "Refer a friend", "terms": terms});
        let program = text(&self.call("POST", "/v1/programs", program).await?["id"])?;
        out.step("A program pays 10% of every invoice that a referred customer pays")?;
        out.field("program", &program)?;

        let path = format!("/v1/programs/{program}/participants/account-7");
        let participant = self.call("PUT", &path, json!({"name": "Blue Lotus Studio"})).await?;
        let code = text(&participant["code"])?;
        out.step("Every account has a code, made from its name")?;
        out.field("Blue Lotus Studio", &code)?;

        let signup = json!({"external_id": PAYER, "code": code, "channel": "sign-up"});
        let signup = self.call("POST", "/v1/track/signup", signup).await?;
        out.step("A new customer signs up with it, and is bound to the referrer for good")?;
        out.field("referee", &text(&signup["referral"]["referee"])?)?;
        out.field("used code", &text(&signup["referral"]["used_code"])?)?;
        text(&participant["id"])
    }

    async fn payment(&self, out: &Printer, paid_at: DateTime<Utc>, anna: &str) -> Result<()> {
        let endpoint = json!({"processor": "stripe", "livemode": false, "secrets": [SIGNING_SECRET]});
        let endpoint = self.call("POST", "/v1/webhook-endpoints", endpoint).await?;
        ensure!(text(&endpoint["path"])?.starts_with("/v1/webhooks/stripe/"), "an endpoint without a path");
        out.step("Stripe reports a paid invoice over 220.00 USD (invoice.paid, invoice_payment.paid)")?;
        self.deliver(PAID, paid_at).await?;
        self.deliver(PAYMENT, paid_at).await?;
        self.call("POST", "/_local/drain", json!({})).await?;
        let decision = self.get(&format!("/v1/decisions/invoice/stripe/{INVOICE}")).await?;
        out.text("The decision, with its reasons:")?;
        out.decision(&decision)?;
        ensure!(decision["rules"][0]["target"]["amount"] == 2200, "10% of 220.00 is 22.00");
        out.text("The reward is in the ledger and, through SQS, fulfilled:")?;
        self.show_ledger(out, anna, 2200).await
    }

    async fn duplicate(&self, out: &Printer, paid_at: DateTime<Utc>, anna: &str) -> Result<()> {
        out.step("Stripe delivers the event again, and its twin invoice.payment_succeeded: nothing changes")?;
        for event in [PAID, TWIN] {
            let answer = self.deliver(event, paid_at).await?;
            ensure!(answer["results"][0]["duplicate"] == true, "a duplicate was taken for new");
            out.field(&text(&parsed(event)?["type"])?, "known already, nothing written")?;
        }
        self.show_ledger(out, anna, 2200).await
    }

    async fn refund(&self, out: &Printer, anna: &str) -> Result<()> {
        out.step("A quarter is refunded: 55.00 USD (charge.refunded), and exactly a quarter is taken back")?;
        self.deliver(REFUNDED, self.now().await?).await?;
        self.show_ledger(out, anna, 1650).await?;
        out.step("The refund fails at the bank (refund.failed), and what was taken is given back")?;
        self.deliver(REFUND_FAILED, self.now().await?).await?;
        self.show_ledger(out, anna, 2200).await
    }

    async fn report(&self, out: &Printer, paid_at: DateTime<Utc>) -> Result<()> {
        out.step("The night passes (the clock is moved by a day), and the day is folded into its report")?;
        self.call("POST", "/_local/clock/advance", json!({"seconds": DAY})).await?;
        self.call("POST", "/_local/drain", json!({})).await?;
        let day = paid_at.date_naive();
        let reports = self.get(&format!("/v1/reports/daily?from={day}&to={day}")).await?;
        let report = reports["data"].get(0).context("the day has no report")?;
        ensure!(report["total"]["amounts"]["USD"]["net"] == 2200, "the report differs from the ledger");
        out.report(report)
    }

    async fn show_ledger(&self, out: &Printer, participant: &str, available: i64) -> Result<()> {
        let ledger = self.get(&format!("/v1/participants/{participant}/ledger")).await?;
        let balances = self.get(&format!("/v1/participants/{participant}/balances")).await?;
        out.ledger(&ledger, &balances)?;
        ensure!(balances["data"][0]["available"] == available, "the balance is not {available}: {balances}");
        Ok(())
    }

    /// Delivers an event as Stripe would at this moment: its times moved, its body signed.
    async fn deliver(&self, event: &str, at: DateTime<Utc>) -> Result<Value> {
        let mut event = parsed(event)?;
        let shift = at.timestamp() - event["created"].as_i64().context("an event without its time")?;
        move_times(&mut event, shift);
        let body = serde_json::to_string(&event)?;
        let path = self.get("/v1/webhook-endpoints").await?;
        let path = text(&path["data"][0]["path"])?;
        let header = signature::sign(body.as_bytes(), SIGNING_SECRET, self.now().await?);
        let request = self.http.post(format!("{}{path}", self.base_url));
        let response = request.header(signature::HEADER, header).body(body).send().await?;
        ensure!(response.status().is_success(), "{}", response.text().await?);
        Ok(response.json().await?)
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        let clock = self.call("POST", "/_local/clock/advance", json!({"seconds": 0})).await?;
        Ok(text(&clock["now"])?.parse()?)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, Value::Null).await
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request =
            self.http.request(method, format!("{}{path}", self.base_url)).bearer_auth(&self.key);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let answer: Value = response.json().await?;
        ensure!(status.is_success(), "{path} answered {status}: {answer}");
        Ok(answer)
    }
}

fn parsed(event: &str) -> Result<Value> {
    Ok(serde_json::from_str(event)?)
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("{value} is not a text"))?.to_owned())
}

/// Moves every moment of an event. The events were written for the first days of 2026; a number that lies there is one.
fn move_times(value: &mut Value, shift: i64) {
    match value {
        Value::Number(number) => {
            let moment = number.as_i64().filter(|at| (1_767_225_600..1_769_904_000).contains(at));
            if let Some(moment) = moment {
                *value = json!(moment.saturating_add(shift));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| move_times(value, shift)),
        Value::Object(fields) => fields.values_mut().for_each(|value| move_times(value, shift)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
