//! The API's surface: template, routers, OpenAPI document and the list of problems say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use axum::response::IntoResponse as _;
use domain::reason::Reason;
use serde_json::{Map, Value};
use tests::World;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document() -> Value {
    serde_json::from_str(&tests::openapi::text()).unwrap()
}

/// Every operation of the document, by method and path.
fn operations(document: &Value) -> BTreeMap<String, Map<String, Value>> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            operations.insert(name, operation.as_object().unwrap().clone());
        }
    }
    operations
}

/// Every route of the template, as the document writes it.
async fn routes(world: &World) -> BTreeSet<String> {
    let routes = world.call("GET", "/_local/routes", None, None).await.ok();
    let name = |route: &Value| {
        format!(
            "{} {}",
            route["method"].as_str().unwrap(),
            route["path"].as_str().unwrap().replace("+}", "}")
        )
    };
    routes.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn the_kept_document_is_what_the_types_say_and_what_is_served() {
    let text = tests::openapi::text();
    let advice = "run: cargo run -p tests --bin openapi > docs/openapi.json";
    assert!(read("docs/openapi.json") == text, "docs/openapi.json is out of date; {advice}");
    let world = World::start().await;
    let served = world.call("GET", "/openapi.json", None, None).await;
    assert_eq!(served.headers["content-type"], "application/json");
    assert!(served.headers.contains_key("request-id"));
    assert_eq!(served.ok(), document());
}

#[tokio::test]
async fn the_routes_of_the_template_are_the_operations_of_the_document() {
    let world = World::start().await;
    let described: BTreeSet<String> = operations(&document()).into_keys().collect();
    assert_eq!(routes(&world).await, described, "left: template.yaml; right: the OpenAPI document");
}

#[tokio::test]
async fn every_route_reaches_its_handler() {
    let world = World::start().await;
    for route in routes(&world).await {
        let (method, path) = route.split_once(' ').unwrap();
        // A function that lacks a route that the template gives it would answer so.
        let answer = world.call(method, path, None, None).await;
        let code = answer.body["code"].as_str().unwrap_or_default();
        assert!(!["route_not_found", "method_not_allowed"].contains(&code), "{route}: {answer:?}");
        assert!(answer.headers.contains_key("request-id"), "{route}: no function answered: {answer:?}");
        assert!(matches!(answer.status, 200 | 400 | 401 | 404), "{route}: {answer:?}");
    }
}

#[test]
fn every_operation_is_described() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        for field in ["summary", "operationId"] {
            assert!(!operation[field].as_str().unwrap_or_default().is_empty(), "{name} has no {field}");
        }
        assert!(ids.insert(operation["operationId"].to_string()), "{name} shares its operationId");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name} is not under one tag");
        check_parameters(&name, &operation);
        check_body(&name, &operation);
        check_responses(&name, &operation);
        let open = name == "GET /openapi.json"
            || name.starts_with("POST /v1/webhooks/")
            || name.ends_with(" /v1/unsubscribe/{token}");
        assert_eq!(open, operation.contains_key("security"), "{name}: whether it needs a key");
    }
    assert!(!document["security"].as_array().unwrap().is_empty());
}

fn check_parameters(name: &str, operation: &Map<String, Value>) {
    let parameters = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let described: BTreeSet<String> = parameters
        .iter()
        .inspect(|parameter| {
            let text = parameter["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name}: {} is not described", parameter["name"]);
        })
        .filter(|parameter| parameter["in"] == "path")
        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<String> =
        name.split('{').skip(1).map(|part| part.split('}').next().unwrap().to_owned()).collect();
    assert_eq!(described, named, "{name}: parameters of the path");
}

fn check_body(name: &str, operation: &Map<String, Value>) {
    // What mail programs send to unsubscribe is theirs, and not looked at.
    let takes_body = ["POST", "PUT", "PATCH"].contains(&name.split(' ').next().unwrap())
        && !name.contains("/v1/unsubscribe/");
    assert_eq!(operation.contains_key("requestBody"), takes_body, "{name}: whether it takes a body");
    for (kind, content) in operation.get("requestBody").iter().flat_map(|body| contents(body)) {
        assert_eq!(kind, "application/json", "{name}");
        assert!(
            content.get("schema").or(content.get("example")).is_some(),
            "{name}: its body is not described"
        );
    }
}

fn check_responses(name: &str, operation: &Map<String, Value>) {
    let responses = operation["responses"].as_object().unwrap();
    assert!(responses.keys().any(|status| status.starts_with('2')), "{name} tells no success");
    for (status, response) in responses {
        let has_body = contents(response).next().is_some();
        assert_eq!(has_body, status != "204", "{name}: whether {status} has a body");
    }
    if name == "GET /openapi.json" {
        return;
    }
    let problem = responses.get("4XX").unwrap_or_else(|| panic!("{name} tells no 4XX"));
    let schema = &problem["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(schema, "#/components/schemas/ProblemBody", "{name}");
}

fn contents(message: &Value) -> impl Iterator<Item = (&String, &Value)> {
    message.get("content").and_then(Value::as_object).into_iter().flatten()
}

#[test]
fn every_reference_of_the_document_leads_somewhere_and_every_field_is_described() {
    let document = document();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(references.contains(&format!("#/components/schemas/{name}")), "{name} is not used");
        let is_id = schema["type"] == "string" && schema.get("enum").is_none();
        assert!(is_id || schema.get("description").is_some(), "{name} is not described");
        for (field, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let text = schema.to_string();
            assert!(
                text.contains("\"description\"") || text.contains("\"$ref\""),
                "{name}.{field} is not described"
            );
        }
    }
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

/// Every problem code that the product's sources build a problem with, and its status.
fn problem_codes() -> BTreeMap<String, String> {
    let mut codes = BTreeMap::new();
    for path in sources() {
        let text = read(&path);
        let text = text.split("#[cfg(test)]").next().unwrap();
        for call in ["Problem::new(", "Self::new("] {
            for rest in text.split(call).skip(1) {
                let mut arguments = rest.trim_start().splitn(3, ',').map(str::trim);
                let (status, code) = (arguments.next().unwrap(), arguments.next().unwrap_or_default());
                if status.parse::<u16>().is_err() {
                    continue;
                }
                match code.strip_prefix('"') {
                    Some(code) => {
                        codes.insert(code.trim_end_matches('"').to_owned(), status.to_owned());
                    }
                    // The code was chosen just before, in pairs of a code and its title.
                    None => codes.extend(pairs(text).map(|code| (code, status.to_owned()))),
                }
            }
        }
    }
    codes
}

/// `("code", "Title.")`
fn pairs(text: &str) -> impl Iterator<Item = String> {
    let codes = text.split("(\"").skip(1).filter_map(|rest| rest.split_once("\", \""));
    let codes = codes.filter(|(code, _)| code.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_'));
    codes.map(|(code, _)| code.to_owned())
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("functions"), PathBuf::from("shared")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The rows of the tables of docs/problems.md: the code of each, and its other cells.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = read("docs/problems.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = |row: &str| {
        let (code, rest) = row.split_once("` |").unwrap();
        let cells = rest.trim().trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        (code.to_owned(), cells.collect())
    };
    rows.map(cells).collect()
}

#[test]
fn every_problem_and_every_reason_is_documented_and_nothing_else_is() {
    let (problems, documented) = (problem_codes(), documented());
    assert!(problems.len() > 15, "{problems:?}");
    for (code, status) in &problems {
        let cells = documented.get(code).unwrap_or_else(|| panic!("docs/problems.md does not list {code}"));
        assert_eq!(&cells[0], status, "docs/problems.md has another status for {code}");
    }
    for reason in Reason::ALL {
        let cells = documented
            .get(reason.code())
            .unwrap_or_else(|| panic!("docs/problems.md does not list {reason}"));
        let status = cells[0].parse::<u16>().is_ok().then(|| cells[0].as_str());
        // Whether the reason refuses a call or only explains a decision, its status is that of such a refusal.
        let refusal = aws::http::Problem::from(aws::http::Refusal(*reason)).into_response().status();
        assert!(
            status.is_none_or(|status| status == refusal.as_str()),
            "docs/problems.md has another status for {reason}"
        );
    }
    for (code, cells) in &documented {
        let known = problems.contains_key(code) || Reason::ALL.iter().any(|reason| reason.code() == code);
        assert!(known, "docs/problems.md lists {code}, which nothing answers");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "docs/problems.md leaves a cell of {code} empty");
    }
}
