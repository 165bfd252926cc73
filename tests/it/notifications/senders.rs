//! E-mail through Amazon SES and text messages through Amazon SNS.

use serde_json::{Value, json};
use tests::{Receiver, Reply, World};

use super::{DAY, Office, telling};
use crate::rules::{rule, ten_percent};

const EMAIL: [(&str, &str); 2] =
    [("EmailFrom", "Hello <hello@example.com>"), ("EmailIdentity", "example.com")];

/// An office whose e-mail and text messages go to a receiver that stands for both services.
async fn office(parameters: &[(&str, &str)], message: Value) -> (Office, Receiver) {
    let aws = Receiver::start().await;
    let base = aws.url().trim_end_matches("/hooks").to_owned();
    let world = World::start_sending(parameters, Some(base)).await;
    (Office::on(world, telling(message)).await, aws)
}

fn sent(id: &str) -> Reply {
    Reply::status(200).body(json!({"MessageId": id}).to_string())
}

fn refused(status: u16, kind: &str) -> Reply {
    Reply::status(status).header("x-amzn-errortype", kind).body(json!({"message": "no"}).to_string())
}

fn mail() -> Value {
    json!({"transport": "email", "subject": "For {{ participant_name }}", "text": "{{ reward_amount }}",
        "html": "<b>{{ reward_amount }}</b>"})
}

#[tokio::test]
async fn an_email_is_sent_through_ses() {
    let (office, ses) = office(&EMAIL, mail()).await;
    office.change(json!({"contact": {"email": "anna@example.org"}})).await;
    ses.answers(sent("ses-1"));
    office.pay("in_1").await;
    let [got] = ses.got().try_into().unwrap();
    assert_eq!(got.path, "/v2/email/outbound-emails");
    let body = got.json();
    assert_eq!(body["FromEmailAddress"], "Hello <hello@example.com>");
    assert_eq!(body["Destination"]["ToAddresses"], json!(["anna@example.org"]));
    let message = &body["Content"]["Simple"];
    assert_eq!(message["Body"]["Text"]["Data"], "20.00 USD");
    assert_eq!(message["Body"]["Html"]["Data"], "<b>20.00 USD</b>");
    // What is told of a reward cannot be unsubscribed from.
    assert!(message["Headers"].is_null());
    let [notification] = office.notifications().await.try_into().unwrap();
    assert_eq!((&notification["state"], &notification["reference"]), (&json!("sent"), &json!("ses-1")));
    assert_eq!(body["EmailTags"][0]["Value"], notification["id"]);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn what_ses_does_not_take_now_is_sent_later() {
    let (office, ses) = office(&EMAIL, mail()).await;
    office.change(json!({"contact": {"email": "anna@example.org"}})).await;
    ses.answers(refused(429, "TooManyRequestsException"));
    office.pay("in_1").await;
    let [notification] = office.notifications().await.try_into().unwrap();
    assert_eq!(notification["state"], "pending");
    assert!(notification["next_try_at"].is_string());
    ses.answers(sent("ses-2"));
    ses.got();
    office.wait(120).await;
    assert_eq!(ses.got().len(), 1);
    let [notification] = office.notifications().await.try_into().unwrap();
    assert_eq!((&notification["state"], &notification["reference"]), (&json!("sent"), &json!("ses-2")));
}

#[tokio::test]
async fn what_ses_never_takes_is_given_up_with_its_reason() {
    let (office, ses) = office(&EMAIL, mail()).await;
    office.change(json!({"contact": {"email": "anna@example.org"}})).await;
    ses.answers(refused(400, "MessageRejected"));
    office.pay("in_1").await;
    let [notification] = office.notifications().await.try_into().unwrap();
    assert_eq!(notification["failure"]["code"], "email_refused");
    ses.answers(refused(500, "InternalFailure"));
    office.pay("in_2").await;
    for _ in 0..8 {
        office.wait(5 * 3_600).await;
    }
    let notification = office.notifications().await[0].clone();
    assert_eq!(notification["failure"]["code"], "retries_exhausted");
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    for (parameters, contact, transport, code) in [
        (&EMAIL[..], json!({}), "email", "no_email"),
        (&[][..], json!({"email": "anna@example.org"}), "email", "email_not_configured"),
        (&[("Sms", "enabled")][..], json!({}), "sms", "no_phone"),
        (&[][..], json!({"phone": "+4930123456"}), "sms", "sms_not_configured"),
    ] {
        let subject = (transport == "email").then_some("Thanks");
        let message = json!({"transport": transport, "subject": subject, "text": "Thanks"});
        let (office, aws) = office(parameters, message).await;
        office.change(json!({"contact": contact})).await;
        office.pay("in_1").await;
        assert_eq!(office.notifications().await[0]["failure"]["code"], code);
        assert_eq!(aws.got().len(), 0);
    }
}

#[tokio::test]
async fn a_text_message_is_sent_through_sns() {
    let message = json!({"transport": "sms", "text": "{{ reward_amount }} & more"});
    let (office, sns) = office(&[("Sms", "enabled")], message).await;
    office.change(json!({"contact": {"phone": "+4930123456"}})).await;
    let xml = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
        <MessageId>sns-1</MessageId></PublishResult></PublishResponse>";
    sns.answers(Reply::status(200).body(xml.to_owned()));
    office.pay("in_1").await;
    let [got] = sns.got().try_into().unwrap();
    for part in
        ["Action=Publish", "PhoneNumber=%2B4930123456", "Message=20.00%20USD%20%26%20more", "Transactional"]
    {
        assert!(got.body.contains(part), "{part}: {}", got.body);
    }
    assert_eq!(office.notifications().await[0]["reference"], "sns-1");
}

#[tokio::test]
async fn an_email_of_a_campaign_says_how_to_unsubscribe() {
    let aws = Receiver::start().await;
    let base = aws.url().trim_end_matches("/hooks").to_owned();
    let world = World::start_sending(&EMAIL, Some(base)).await;
    let office = Office::on(world, rule(ten_percent(), json!({}))).await;
    office.change(json!({"contact": {"email": "anna@example.org"}})).await;
    aws.answers(sent("ses-1"));
    let message = json!({"transport": "email", "subject": "Share", "text": "Stop: {{ unsubscribe_url }}"});
    let body = json!({"program": office.program, "name": "Spring", "audience": "all_participants",
        "steps": [{"after_days": 0, "message": message}]});
    office.tenant.post("/v1/campaigns", body).await.created();
    office.wait(DAY).await;
    let [got] = aws.got().try_into().unwrap();
    let message = &got.json()["Content"]["Simple"];
    let url = message["Body"]["Text"]["Data"].as_str().unwrap().strip_prefix("Stop: ").unwrap().to_owned();
    assert!(url.starts_with(office.world.stage.base_url()), "{url}");
    let expected = json!([{"Name": "List-Unsubscribe", "Value": format!("<{url}>")},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"}]);
    assert_eq!(message["Headers"], expected);
}
