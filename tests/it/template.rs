//! template.yaml: what no public linter checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws::Platform;
use aws::store::keys::{DAY_INDEX, DUE_INDEX, LISTING_INDEX, TTL_ATTRIBUTE};
use aws::telemetry::{
    CHECK_FINDINGS, DIMENSION, NAMESPACE, OVERDUE_ROWS, REWARD_DELAY, REWARD_DELAY_BOUND_SECONDS,
};
use domain::id::ProgramId;
use domain::ledger::Cause;
use domain::money::Unit;
use domain::report::DayLine;
use local::template::{Function, Resource, Template, referenced};
use local::{EventHandler, Lookup, Options, Registry, Stage};
use serde_json::Value;

fn template() -> Template {
    Template::embedded().unwrap()
}

fn resources<'a>(template: &'a Template, kind: &str) -> Vec<(&'a String, &'a Resource)> {
    let of_kind: Vec<_> = template.resources.iter().filter(|(_, resource)| resource.kind == kind).collect();
    assert!(!of_kind.is_empty(), "the template has no {kind}");
    of_kind
}

fn number(value: &Value, pointer: &str) -> i64 {
    value
        .pointer(pointer)
        .and_then(Value::as_i64)
        .unwrap_or_else(|| panic!("{pointer} is missing in {value}"))
}

/// Every raw event of a kind, by function.
fn events<'a>(function: &'a Function, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let events = function.properties.get("Events").and_then(Value::as_object).into_iter().flatten();
    events.filter(move |(_, event)| event["Type"] == kind)
}

#[test]
fn a_message_stays_hidden_for_six_times_as_long_as_its_consumer_may_take() {
    let template = template();
    assert_eq!(template.event_sources().count(), 4);
    for source in template.event_sources() {
        let queue = template.queue(&source.queue).unwrap();
        let timeout = template.function(&source.function).unwrap().timeout_s;
        assert!(queue.visibility_timeout_s >= 6 * timeout, "{}", queue.id);
    }
}

#[test]
fn only_who_sends_itself_messages_may_do_so_for_long() {
    let template = template();
    for function in &template.functions {
        // Lambda ends a chain of a function's own messages after about sixteen unless it is told that it is meant.
        let sends_to_itself =
            ["AggregateReportsFunction", "SendNotificationFunction"].contains(&function.id.as_str());
        let allowed = function.properties.get("RecursiveLoop").and_then(Value::as_str) == Some("Allow");
        assert_eq!(allowed, sends_to_itself, "{}", function.id);
    }
}

#[test]
fn consumers_report_single_failures_and_run_in_bounded_numbers() {
    let template = template();
    for source in template.event_sources() {
        assert!(source.reports_item_failures, "{}", source.queue);
        assert!(source.concurrency_max.is_some_and(|max| max >= 2), "{}", source.queue);
        assert!(source.batch_size <= 10, "{}", source.queue);
    }
    for function in &template.functions {
        for (name, event) in events(function, "SQS") {
            assert_eq!(
                event["Properties"]["FunctionResponseTypes"],
                serde_json::json!(["ReportBatchItemFailures"]),
                "{name}"
            );
        }
    }
}

#[test]
fn every_queue_has_a_dead_letter_queue_that_keeps_longer_and_raises_an_alarm() {
    let template = template();
    let dead: BTreeSet<&str> = template
        .queues
        .iter()
        .filter_map(|queue| Some(queue.redrive.as_ref()?.dead_letter_queue.as_str()))
        .collect();
    let last_resort: BTreeSet<&str> = dead.iter().copied().chain(["ScheduleDlq"]).collect();
    for queue in template.queues.iter().filter(|queue| !last_resort.contains(queue.id.as_str())) {
        let redrive =
            queue.redrive.as_ref().unwrap_or_else(|| panic!("{} has no dead-letter queue", queue.id));
        assert!(redrive.receive_count_max >= 5, "{}", queue.id);
        let dead = template.queue(&redrive.dead_letter_queue).unwrap();
        assert!(dead.retention_s > queue.retention_s, "{} forgets as early as {}", dead.id, queue.id);
        let of_it =
            |other: &&local::template::Queue| other.redrive.as_ref().is_some_and(|other| *other == *redrive);
        assert_eq!(template.queues.iter().filter(of_it).count(), 1, "{} takes from several queues", dead.id);
    }
    let watched = alarms(&template, "ApproximateNumberOfMessagesVisible");
    let consumed: BTreeSet<&str> = template.event_sources().map(|source| source.queue.as_str()).collect();
    for id in last_resort {
        assert!(watched.contains(id), "nobody is told of messages in {id}");
        assert!(!consumed.contains(id), "{id} has a consumer");
    }
    for (id, queue) in resources(&template, "AWS::SQS::Queue") {
        assert_eq!(queue.properties["SqsManagedSseEnabled"], true, "{id} is not encrypted");
    }
}

/// What the alarms of a metric watch.
fn alarms(template: &Template, metric: &str) -> BTreeSet<String> {
    let of_metric = resources(template, "AWS::CloudWatch::Alarm").into_iter();
    let of_metric = of_metric.filter(|(_, alarm)| alarm.properties["MetricName"] == metric);
    of_metric
        .map(|(_, alarm)| referenced(&alarm.properties["Dimensions"][0]["Value"]).unwrap().to_owned())
        .collect()
}

#[test]
fn the_stated_delay_of_a_reward_is_what_its_alarm_watches() {
    let template = template();
    let alarm = &template.resources["RewardDelayAlarm"].properties;
    assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&NAMESPACE.into(), &REWARD_DELAY.into()));
    assert_eq!(alarm["Dimensions"][0]["Name"], DIMENSION);
    assert_eq!(referenced(&alarm["Dimensions"][0]["Value"]), Some("FulfillRewardFunction"));
    assert_eq!(number(alarm, "/Threshold"), REWARD_DELAY_BOUND_SECONDS * 1_000);
    // The queue's age is watched by the same bound.
    let age = &template.resources["FulfillQueueAgeAlarm"].properties;
    assert_eq!(number(age, "/Threshold"), REWARD_DELAY_BOUND_SECONDS);
}

#[test]
fn one_finding_of_a_self_check_and_one_overdue_row_raise_an_alarm() {
    let template = template();
    for (id, metric) in [("CheckFindingsAlarm", CHECK_FINDINGS), ("OverdueRowsAlarm", OVERDUE_ROWS)] {
        let alarm = &template.resources[id].properties;
        assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&NAMESPACE.into(), &metric.into()));
        assert_eq!(alarm["Dimensions"][0]["Name"], DIMENSION);
        assert_eq!(referenced(&alarm["Dimensions"][0]["Value"]), Some("AggregateReportsFunction"));
        assert_eq!((number(alarm, "/Threshold"), number(alarm, "/EvaluationPeriods")), (0, 1), "{id}");
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold", "{id}");
    }
}

#[test]
fn what_cannot_be_made_again_is_kept() {
    let template = template();
    let kept =
        [resources(&template, "AWS::DynamoDB::Table"), resources(&template, "AWS::SecretsManager::Secret")];
    for (id, resource) in kept.concat() {
        let policies = [&resource.deletion_policy, &resource.update_replace_policy];
        assert!(policies.iter().all(|policy| policy.as_deref() == Some("Retain")), "{id} is not retained");
    }
    for (id, table) in resources(&template, "AWS::DynamoDB::Table") {
        let properties = &table.properties;
        let recovery = properties.pointer("/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled");
        assert_eq!(recovery, Some(&Value::Bool(true)), "{id} cannot be recovered to a point in time");
        assert_eq!(properties["DeletionProtectionEnabled"], true, "{id} can be deleted by mistake");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{id}");
    }
}

#[test]
fn the_table_is_the_one_that_the_code_knows() {
    let template = template();
    let [table] = template.tables.as_slice() else { panic!("there is more than one table") };
    assert_eq!(table.ttl_attribute.as_deref(), Some(TTL_ATTRIBUTE));
    let keys = |keys: &[local::template::Key]| -> Vec<(String, String, String)> {
        keys.iter().map(|key| (key.name.clone(), key.role.clone(), key.kind.clone())).collect()
    };
    let pair = |prefix: &str| {
        let key = |name: &str, role: &str| (format!("{prefix}{name}"), role.to_owned(), "S".to_owned());
        vec![key("pk", "HASH"), key("sk", "RANGE")]
    };
    assert_eq!(keys(&table.keys), pair(""));
    let indexes: BTreeSet<&str> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexes, BTreeSet::from([DUE_INDEX, DAY_INDEX, LISTING_INDEX]));
    for index in &table.indexes {
        assert_eq!(keys(&index.keys), pair(&format!("{}_", index.name)));
        let carried: BTreeSet<String> = index.projection.non_key_attributes.iter().cloned().collect();
        if index.name == DAY_INDEX {
            assert_eq!((index.projection.kind.as_str(), carried), ("INCLUDE", fields_of_a_day_line()));
        } else {
            assert_eq!((index.projection.kind.as_str(), carried), ("KEYS_ONLY", BTreeSet::new()));
        }
    }
}

/// What the nightly fold reads of each row.
fn fields_of_a_day_line() -> BTreeSet<String> {
    let (program, unit) = (ProgramId::derive(&["any"]), Unit::parse("USD").unwrap());
    let lines = [
        DayLine::Referral { program: program.clone() },
        DayLine::Reward { program: program.clone(), delta: 1, unit, cause: Cause::Earned },
        DayLine::Entry { program, delta: 1, unit, cause: Cause::Refund },
    ];
    let lines = lines.map(|line| serde_json::to_value(line).unwrap());
    lines.iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect()
}

/// Every policy statement, by the role that has it.
fn statements(template: &Template) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (id, role) in resources(template, "AWS::IAM::Role") {
        for policy in role.properties["Policies"].as_array().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                found.push((id.clone(), statement.clone()));
            }
        }
    }
    found
}

fn actions(statement: &Value) -> Vec<String> {
    match &statement["Action"] {
        Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect(),
        action => vec![action.as_str().unwrap().to_owned()],
    }
}

#[test]
fn no_policy_grants_more_than_it_names() {
    let template = template();
    for (role, statement) in statements(&template) {
        assert_eq!(statement["Effect"], "Allow", "{role}");
        for part in ["Action", "Resource"] {
            assert!(!statement[part].is_null(), "{role}: a statement without {part}");
            assert!(!statement[part].to_string().contains('*'), "{role} has a * in {}", statement[part]);
        }
        assert!(statement.get("NotAction").or(statement.get("NotResource")).is_none(), "{role}");
        for action in actions(&statement) {
            assert!(!action.contains("Scan"), "{role} may scan");
            let deletes = action == "dynamodb:DeleteItem" || action == "dynamodb:BatchWriteItem";
            let may = ["ManageProgramRole", "SweepDueRole"].contains(&role.as_str());
            assert!(!deletes || may, "{role} may {action}");
            assert!(!action.contains("PartiQL"), "{role} may {action}");
        }
    }
    // All that grants is in those roles: nothing that SAM would add a role or a statement for, and no managed policy.
    for (id, resource) in &template.resources {
        let more = ["ManagedPolicyArns", "Policies", "PermissionsBoundary"];
        let has = |name: &&str| resource.properties.get(*name).is_some();
        let granting: Vec<_> = more.iter().filter(|name| has(name)).collect();
        let own = resource.kind == "AWS::IAM::Role" && granting == [&"Policies"];
        assert!(granting.is_empty() || own, "{id} has {granting:?}");
        let policy = ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"].contains(&resource.kind.as_str());
        assert!(!policy || ["SendEmailPolicy", "SendSmsPolicy"].contains(&id.as_str()), "{id}");
    }
    assert!(template.document().pointer("/Globals/Function/Policies").is_none());
}

#[test]
fn who_sends_notifications_may_do_so_where_a_parameter_says_so() {
    let template = template();
    for (id, condition, action, part, of) in [
        ("SendEmailPolicy", "HasEmail", "ses:SendEmail", "Resource", ":identity/${EmailIdentity}"),
        // A telephone number has no ARN, so that everything is named that is no topic.
        ("SendSmsPolicy", "HasSms", "sns:Publish", "NotResource", ":sns:*:*:*"),
    ] {
        let resource = &template.document()["Resources"][id];
        assert_eq!(resource["Condition"], condition, "{id}");
        let properties = &resource["Properties"];
        assert_eq!(properties["Roles"], serde_json::json!([{"Ref": "SendNotificationRole"}]), "{id}");
        let statements = properties["PolicyDocument"]["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 1, "{id}");
        assert_eq!(statements[0]["Effect"], "Allow", "{id}");
        assert_eq!(statements[0]["Action"], action, "{id}");
        assert!(
            statements[0][part].to_string().trim_end_matches(['"', '}']).ends_with(of.trim_end_matches('}')),
            "{id}"
        );
    }
}

#[test]
fn every_function_has_a_role_of_its_own() {
    let template = template();
    let mut roles = BTreeSet::new();
    for function in &template.functions {
        let role =
            referenced(&function.properties["Role"]).unwrap_or_else(|| panic!("{} has no role", function.id));
        assert!(roles.insert(role), "{role} is shared");
        let principals = &template.resources[role].properties["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(principals.as_array().unwrap().len(), 1, "{role}");
        assert_eq!(principals[0]["Principal"]["Service"], "lambda.amazonaws.com", "{role}");
    }
    assert_eq!(roles.len(), resources(&template, "AWS::IAM::Role").len(), "a role is not used");
}

#[test]
fn a_function_answers_before_its_caller_gives_up() {
    let template = template();
    let patience = aws::timeouts();
    let operation = patience.operation_timeout().unwrap();
    assert!(patience.operation_attempt_timeout().unwrap() < operation);
    for function in &template.functions {
        assert!(
            function.routes.is_empty() || function.timeout_s < 30,
            "{} is slower than the HTTP API",
            function.id
        );
        let timeout = std::time::Duration::from_secs(function.timeout_s.into());
        assert!(operation < timeout, "{}: an AWS call may take longer than the function", function.id);
    }
}

#[test]
fn every_function_logs_into_a_group_of_its_own_that_forgets() {
    let template = template();
    let mut groups = BTreeSet::new();
    for function in &template.functions {
        let group = referenced(&function.properties["LoggingConfig"]["LogGroup"]);
        let group = group.unwrap_or_else(|| panic!("{} has no log group", function.id));
        assert!(groups.insert(group), "{group} is shared");
        let group = &template.resources[group];
        assert_eq!(group.kind, "AWS::Logs::LogGroup");
        assert!(!group.properties["RetentionInDays"].is_null(), "{} logs for ever", function.id);
    }
    for (id, group) in resources(&template, "AWS::Logs::LogGroup") {
        assert!(!group.properties["RetentionInDays"].is_null(), "{id} keeps for ever");
    }
}

#[test]
fn every_schedule_says_what_happens_when_it_fails() {
    let template = template();
    let mut schedules = 0;
    for function in &template.functions {
        for (name, event) in events(function, "ScheduleV2") {
            schedules += 1;
            let properties = &event["Properties"];
            assert!(number(properties, "/RetryPolicy/MaximumRetryAttempts") >= 0, "{name}");
            assert!(number(properties, "/RetryPolicy/MaximumEventAgeInSeconds") >= 60, "{name}");
            let dead = referenced(&properties["DeadLetterConfig"]["Arn"]);
            assert!(dead.and_then(|id| template.queue(id)).is_some(), "{name} has no dead-letter queue");
            assert_eq!(properties["FlexibleTimeWindow"]["Mode"], "OFF", "{name}");
            assert_eq!(properties["ScheduleExpressionTimezone"], "Etc/UTC", "{name}");
            let input: Value = serde_json::from_str(properties["Input"].as_str().unwrap()).unwrap();
            assert!(input["type"].is_string(), "{name}");
            assert!(
                function.properties.get("EventInvokeConfig").is_some(),
                "{name}: retries of Lambda's own"
            );
        }
    }
    assert_eq!(schedules, template.schedules().count());
    assert_eq!(schedules, 3);
}

#[test]
fn every_function_of_the_workspace_is_deployed_and_the_other_way_round() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let mut packages = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let manifest = std::fs::read_to_string(entry.unwrap().path().join("Cargo.toml")).unwrap();
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        packages.insert(name.trim_matches('"').to_owned());
    }
    let template = template();
    let deployed: BTreeSet<String> =
        template.functions.iter().map(|function| function.binary.clone()).collect();
    assert_eq!(deployed, packages, "left: template.yaml; right: functions/");
    for function in &template.functions {
        assert_eq!(
            template.resources[&function.id].metadata["BuildMethod"], "rust-cargolambda",
            "{}",
            function.id
        );
        // IssueCodeFunction builds issue-code.
        let words =
            function.binary.split('-').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
        assert_eq!(function.id, format!("{}Function", words.collect::<String>()));
        let called = function.routes.len() + function.event_sources.len() + function.schedules.len();
        assert!(called > 0, "nothing calls {}", function.id);
    }
}

/// What lets loopback be called.
const TO_LOOPBACK: &str = "WEBHOOKS_TO_LOOPBACK";

/// Variables by function.
type Variables = BTreeMap<String, BTreeSet<String>>;

/// Notes what a function asks the lookup for.
#[derive(Clone, Default)]
struct Spy(Arc<Mutex<Variables>>);

impl Spy {
    fn watch<T>(&self, id: &str, lookup: Lookup<'_>, build: impl FnOnce(Lookup<'_>) -> T) -> T {
        build(&|name| {
            self.0.lock().unwrap().entry(id.to_owned()).or_default().insert(name.to_owned());
            lookup(name)
        })
    }
}

#[tokio::test]
async fn every_function_gets_the_variables_that_it_asks_for_and_no_other() {
    let spy = Spy::default();
    let mut registry = Registry::default();
    macro_rules! http {
        ($id:literal, $function:ident) => {
            let watching = spy.clone();
            registry = registry.http($id, move |platform: &Platform, lookup: Lookup<'_>| {
                let deps = watching.watch($id, lookup, |lookup| $function::Deps::new(platform, lookup))?;
                Ok($function::router(deps))
            });
        };
    }
    macro_rules! event {
        ($id:literal, $function:ident) => {
            let watching = spy.clone();
            registry = registry.event($id, move |platform: &Platform, lookup: Lookup<'_>| {
                watching.watch($id, lookup, |lookup| $function::Deps::new(platform, lookup))?;
                Ok(EventHandler::new(async |_| Ok(Value::Null)))
            });
        };
    }
    http!("IssueCodeFunction", issue_code);
    http!("AttributeSignupFunction", attribute_signup);
    http!("ProcessInvoiceFunction", process_invoice);
    http!("ManageProgramFunction", manage_program);
    event!("FulfillRewardFunction", fulfill_reward);
    event!("DeliverWebhookFunction", deliver_webhook);
    event!("SendNotificationFunction", send_notification);
    event!("SweepDueFunction", sweep_due);
    event!("AggregateReportsFunction", aggregate_reports);
    let options = Options { ticking: false, ..Options::default() };
    let stage = Stage::start_with(options, template(), registry).await.unwrap();
    let declared: Variables = stage
        .template()
        .functions
        .iter()
        .map(|function| (function.id.clone(), function.environment.keys().cloned().collect()))
        .collect();
    let mut asked = spy.0.lock().unwrap().clone();
    // Who knows of addresses that users give would let loopback be called, and no deployment may say so.
    let near: Vec<_> =
        asked.iter_mut().filter_map(|(id, names)| names.remove(TO_LOOPBACK).then_some(id)).collect();
    assert_eq!(near, ["DeliverWebhookFunction", "ManageProgramFunction"]);
    assert!(!template().document().to_string().contains(TO_LOOPBACK));
    assert_eq!(asked, declared, "left: what the functions ask for; right: what template.yaml declares");
}
