//! The built binary as a process of its own: the story runs to its end, and kill -9 between any two steps loses and
//! doubles nothing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A running stage; killed without a word when it is dropped.
struct Process {
    child: Child,
    base_url: String,
    root_key: String,
}

impl Process {
    /// Starts the binary on a state directory and waits until it says that it is ready.
    fn start(state: &Path) -> Self {
        let ready = state.with_extension("ready");
        let _ = std::fs::remove_file(&ready);
        let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
            .args(["--port", "0", "--state"])
            .arg(state)
            .arg("--ready-file")
            .arg(&ready)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The greeting is written when all is up, and the file right after it.
        let mut greeting = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(greeting.any(|line| line.unwrap().starts_with("Ctrl-C")), "the stage ended early");
        let text = loop {
            match std::fs::read_to_string(&ready) {
                Ok(text) => break text,
                Err(_) => assert!(child.try_wait().unwrap().is_none(), "the stage ended early"),
            }
        };
        let ready: Value = serde_json::from_str(&text).unwrap();
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { child, base_url: field("base_url"), root_key: field("root_key") }
    }

    async fn call(&self, method: &str, path: &str, key: &str, body: Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.base_url));
        let response = request.bearer_auth(key).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL: nothing in the process gets to tidy up.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn the_demo_tells_the_whole_story_and_ends_well() {
    let output = Command::new(env!("CARGO_BIN_EXE_local")).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in ["BLU-", "account-1042", "earned", "22.00 USD", "16.50 USD available", "restored", "net"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

/// The steps of a caller, as method, path and body; `{program}`, `{code}` and so on are filled in from the answers.
fn steps() -> Vec<(&'static str, &'static str, Value)> {
    let invoice = json!({"invoice_id": "in_1", "processor": "stripe", "external_id": "ben", "amount_paid": 20_000, "currency": "USD"});
    let refund = |id: &str, amount: i64| json!({"refund_id": id, "processor": "stripe", "invoice_id": "in_1", "amount": amount, "currency": "USD"});
    vec![
        ("PUT", "/v1/programs/{program}/participants/anna", json!({"name": "Anna"})),
        ("POST", "/v1/track/signup", json!({"external_id": "ben", "code": "{code}"})),
        ("POST", "/v1/track/invoice-paid", invoice),
        ("POST", "/v1/track/refund", refund("re_1", 5_000)),
        ("POST", "/v1/track/refund", refund("re_2", 2_500)),
    ]
}

#[tokio::test]
async fn kill_nine_between_any_two_steps_loses_and_doubles_nothing() {
    let count = steps().len();
    for killed_after in 0..=count {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut process = Process::start(&state);
        let (_, organization) =
            process.call("POST", "/v1/organizations", &process.root_key, json!({"name": "Example"})).await;
        let key = organization["api_key"]["secret"].as_str().unwrap().to_owned();
        let terms = json!({"rules": [{"id": "commission", "amount": {"percentage": {"percent": "10"}}}]});
        let (_, program) =
            process.call("POST", "/v1/programs", &key, json!({"name": "Refer", "terms": terms})).await;
        let program = program["id"].as_str().unwrap().to_owned();
        let (mut code, mut participant) = (String::new(), String::new());
        for (index, (method, path, body)) in steps().into_iter().enumerate() {
            if index == killed_after {
                drop(process);
                process = Process::start(&state);
            }
            let path = path.replace("{program}", &program);
            let body = serde_json::from_str(&body.to_string().replace("{code}", &code)).unwrap();
            let (status, answer) = process.call(method, &path, &key, body).await;
            assert!(matches!(status, 200..=202), "{path}: {answer}");
            if let (Some(text), Some(id)) = (answer["code"].as_str(), answer["id"].as_str()) {
                (code, participant) = (text.to_owned(), id.to_owned());
            }
        }
        if killed_after == count {
            drop(process);
            process = Process::start(&state);
        }
        // What was in the queues is gone with the process: the sweeper finds what is due in the table.
        for _ in 0..2 {
            process.call("POST", "/_local/clock/advance", "", json!({"seconds": 200})).await;
            process.call("POST", "/_local/drain", "", json!({})).await;
        }
        let path = format!("/v1/participants/{participant}/balances");
        let (_, balances) = process.call("GET", &path, &key, json!({})).await;
        let balance = &balances["data"][0];
        let figures = ["available", "pending"].map(|name| balance[name].as_i64().unwrap());
        assert_eq!(figures, [1_250, 0], "killed after step {killed_after}: {balances}");
        assert_eq!(balance["earned"].as_i64().unwrap() - balance["reversed"].as_i64().unwrap(), 1_250);
    }
}
