//! How the story looks on a terminal.

use std::io::{self, Write};

use anyhow::Result;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use domain::money::{Currency, Money};
use serde_json::Value;

/// Writes to the standard output.
#[derive(Debug)]
pub(super) struct Printer;

impl Printer {
    pub(super) fn title(&self, title: &str) -> Result<()> {
        line(&format!("\n{title}\n{}", "=".repeat(title.chars().count())))
    }

    pub(super) fn step(&self, step: &str) -> Result<()> {
        line(&format!("\n-> {step}"))
    }

    pub(super) fn text(&self, text: &str) -> Result<()> {
        line(&format!("   {text}"))
    }

    pub(super) fn field(&self, name: &str, value: &str) -> Result<()> {
        line(&format!("   {name}: {value}"))
    }

    pub(super) fn decision(&self, decision: &Value) -> Result<()> {
        let inputs = &decision["inputs"];
        let mut table = table(&["input", "value"]);
        for (name, value) in [
            ("source", show(&decision["source"])),
            ("payer", show(&inputs["payer"])),
            ("referrer", show(&inputs["referrer"])),
            ("program status then", show(&inputs["program_status"])),
            ("terms version then", show(&inputs["terms_version"])),
            ("paid", money(&inputs["paid"])),
            ("refunded", show(&inputs["refunded"])),
        ] {
            table.add_row([name.to_owned(), value]);
        }
        print(&table)?;
        let mut table = self::table(&["rule", "fired", "reason", "target", "in the ledger"]);
        for rule in rows(&decision["rules"]) {
            table.add_row([
                show(&rule["rule"]),
                show(&rule["fired"]),
                show(&rule["reason"]),
                money(&rule["target"]),
                money(&rule["posted"]),
            ]);
        }
        print(&table)?;
        self.text(&format!("{}: {}", show(&decision["reason"]), show(&decision["explanation"])))
    }

    pub(super) fn ledger(&self, ledger: &Value, balances: &Value) -> Result<()> {
        let mut table = table(&["written", "cause", "amount"]);
        for entry in rows(&ledger["data"]).rev() {
            table.add_row([show(&entry["recorded_at"]), show(&entry["cause"]), money(&entry["amount"])]);
        }
        if let Some(column) = table.column_mut(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        print(&table)?;
        for balance in rows(&balances["data"]) {
            let figure = |name: &str| amount(&balance[name], &balance["unit"]);
            let (available, pending) = (figure("available"), figure("pending"));
            self.text(&format!("balance: {available} available, {pending} pending"))?;
        }
        Ok(())
    }

    pub(super) fn report(&self, report: &Value) -> Result<()> {
        let total = &report["total"];
        let mut table =
            table(&["day", "referrals", "rewards", "corrections", "earned", "reversed", "restored", "net"]);
        for (unit, amounts) in total["amounts"].as_object().into_iter().flatten() {
            let unit = Value::String(unit.clone());
            let figure = |name: &str| amount(&amounts[name], &unit);
            table.add_row([
                show(&report["day"]),
                show(&total["referrals"]),
                show(&total["rewards"]),
                show(&total["corrections"]),
                figure("earned"),
                figure("reversed"),
                figure("restored"),
                figure("net"),
            ]);
        }
        print(&table)
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn print(table: &Table) -> Result<()> {
    table.to_string().lines().try_for_each(|row| line(&format!("   {row}")))
}

fn line(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

fn rows(list: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn money(value: &Value) -> String {
    amount(&value["amount"], &value["currency"])
}

fn amount(minor: &Value, unit: &Value) -> String {
    let currency = unit.as_str().and_then(|code| Currency::parse(code).ok());
    match (minor.as_i64(), currency) {
        (Some(amount), Some(currency)) => Money::new(amount, currency).to_string(),
        _ => show(minor),
    }
}
