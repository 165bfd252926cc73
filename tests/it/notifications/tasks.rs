//! Tasks that rules make.

use serde_json::{Value, json};
use tests::{Tenant, World};

use super::{DAY, Office};

fn terms(task: Value) -> Value {
    json!({"rules": [{"id": "follow_up", "kind": "task", "description": "Call them", "task": task}]})
}

async fn tasks(tenant: &Tenant, state: &str) -> Vec<Value> {
    tenant.list(&format!("/v1/tasks?state={state}&")).await
}

#[tokio::test]
async fn a_rule_makes_a_task_once_and_somebody_does_it() {
    let office =
        Office::open(terms(json!({"title": "Call the referrer", "details": "Thank them", "due_days": 3})))
            .await;
    office.pay("in_1").await;
    office.pay("in_1").await;
    office.wait(DAY).await;
    let [task] = tasks(&office.tenant, "open").await.try_into().unwrap();
    assert_eq!((&task["title"], &task["details"]), (&json!("Call the referrer"), &json!("Thank them")));
    assert_eq!((&task["participant"], &task["referee"]), (&json!(office.anna.id), &json!("ben-0")));
    assert!(task["due_at"].is_string());
    let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
    let by = json!({"actor": "support", "reason": "called"});
    for _ in 0..2 {
        let done = office.tenant.post(&format!("{path}/done"), by.clone()).await.ok();
        assert_eq!((&done["state"], &done["note"]), (&json!("done"), &by));
    }
    office.tenant.post(&format!("{path}/dismiss"), by.clone()).await.refused(409, "task_closed");
    assert_eq!(tasks(&office.tenant, "open").await, Vec::<Value>::new());
    let [closed] = tasks(&office.tenant, "closed").await.try_into().unwrap();
    assert_eq!(closed, office.tenant.get(&path).await.ok());
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_task_without_words_has_those_of_its_rule() {
    let office = Office::open(terms(Value::Null)).await;
    office.pay("in_1").await;
    let [task] = tasks(&office.tenant, "open").await.try_into().unwrap();
    assert_eq!(task["title"], "Call them");
    let path = format!("/v1/tasks/{}/dismiss", task["id"].as_str().unwrap());
    let dismissed = office.tenant.post(&path, json!({"actor": "support"})).await.ok();
    assert_eq!(
        (&dismissed["state"], &dismissed["note"]["reason"]),
        (&json!("dismissed"), &json!("dismissed"))
    );
}

#[tokio::test]
async fn tasks_are_listed_page_by_page_and_by_nobody_else() {
    let office = Office::open(terms(Value::Null)).await;
    for invoice in 0..7 {
        office.pay(&format!("in_{invoice}")).await;
        office.world.advance(1).await;
    }
    let all = tasks(&office.tenant, "open").await;
    assert_eq!(all.len(), 7);
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = office.tenant.get(&format!("/v1/tasks?limit=2{cursor}")).await.ok();
        paged.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
    let times: Vec<&str> = all.iter().map(|task| task["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let other = office.world.tenant().await;
    assert_eq!(tasks(&other, "open").await, Vec::<Value>::new());
    let path = format!("/v1/tasks/{}", all[0]["id"].as_str().unwrap());
    other.get(&path).await.refused(404, "not_found");
    other.post(&format!("{path}/done"), json!({"actor": "x"})).await.refused(404, "not_found");
}

#[tokio::test]
async fn of_many_who_close_a_task_one_way_wins() {
    let office = Office::open(terms(Value::Null)).await;
    office.pay("in_1").await;
    let [task] = tasks(&office.tenant, "open").await.try_into().unwrap();
    let id = task["id"].as_str().unwrap();
    let calls = (0..20).map(|number| {
        let how = if number % 2 == 0 { "done" } else { "dismiss" };
        let (tenant, path) = (office.tenant.clone(), format!("/v1/tasks/{id}/{how}"));
        async move { (how, tenant.post(&path, json!({"actor": format!("a{number}")})).await.status) }
    });
    let answers = futures_util::future::join_all(calls).await;
    let won: Vec<&str> = answers.iter().filter(|(_, status)| *status == 200).map(|(how, _)| *how).collect();
    assert_eq!(won.len(), 10, "{answers:?}");
    assert!(won.iter().all(|how| *how == won[0]), "{answers:?}");
}

#[tokio::test]
async fn what_a_task_says_wrongly_is_refused_by_its_field() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = |rule: Value| json!({"name": "P", "terms": {"rules": [rule]}});
    let task = |task: Value| program(json!({"id": "x", "kind": "task", "task": task}));
    tenant.post("/v1/programs", task(json!({"title": ""}))).await.names("/terms/rules/0/task/title");
    tenant
        .post("/v1/programs", task(json!({"title": "x".repeat(201)})))
        .await
        .names("/terms/rules/0/task/title");
    let long = json!({"title": "x", "details": "x".repeat(2_001)});
    tenant.post("/v1/programs", task(long)).await.names("/terms/rules/0/task/details");
    tenant
        .post("/v1/programs", task(json!({"title": "x", "due_days": 366})))
        .await
        .names("/terms/rules/0/task/due_days");
    let other = json!({"id": "x", "kind": "message", "task": {"title": "x"}});
    tenant.post("/v1/programs", program(other)).await.names("/terms/rules/0/task");
}
