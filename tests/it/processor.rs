//! Delivery at the payment processor: whatever goes wrong on the way, a step has its effect there exactly once.

#[path = "processor/connections.rs"]
mod connections;
#[path = "processor/credit.rs"]
mod credit;
#[path = "processor/customers.rs"]
mod customers;
#[path = "processor/discount.rs"]
mod discount;
#[path = "processor/own_discount.rs"]
mod own_discount;
#[path = "processor/rig.rs"]
mod rig;
#[path = "processor/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::path::Path;

/// The codes that the sources give to what is never delivered: the first argument of every `never`.
fn codes(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes(&path, found);
        } else if !path.to_string_lossy().ends_with("_tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let quoted = text.split("never(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            found.extend(quoted.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
}

#[test]
fn every_code_of_a_failed_delivery_is_documented_and_nothing_else_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut given = BTreeSet::new();
    codes(&root.join("functions/fulfill-reward/src"), &mut given);
    assert!(given.len() > 10, "{given:?}");
    let text = std::fs::read_to_string(root.join("docs/fulfillment.md")).unwrap();
    let (_, table) = text.split_once("## Why a delivery fails").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<String> = rows.map(|(code, _)| code.to_owned()).collect();
    assert_eq!(given, documented, "left: codes in the sources; right: codes in docs/fulfillment.md");
}
