use std::collections::BTreeSet;

use chrono::TimeZone as _;
use domain::id::{BillingRunId, CampaignId, NotificationId, PartnerInvoiceId, PayoutBatchId, RuleId};
use domain::money::Unit;

use super::*;

fn organization() -> OrganizationId {
    OrganizationId::from_entropy(&[7; 17])
}

#[test]
fn due_rows_read_back_as_they_are_written() {
    let organization = organization();
    let customer_ = Customer {
        processor: Processor::parse("stripe").unwrap(),
        reference: ProcessorRef::parse("cus_1").unwrap(),
    };
    let external_id = ExternalId::parse("auth0|a:b.c").unwrap();
    let source_id = SourceId::parse("payment/stripe/pi_1").unwrap();
    let participant = ParticipantId::derive(&["a"]);
    let at = Utc.timestamp_millis_opt(1_767_225_600_123).unwrap();
    let (day, currency) = (at.date_naive(), Currency::parse("USD").unwrap());
    let rule = RuleId::parse("commission").unwrap();
    let reward_id = RewardId::of(&participant, at, &source_id, &rule, Unit::parse("USD").unwrap(), 0);
    let billing_run = BillingRunId::derive(&["a"]);
    let batch = PayoutBatchId::derive(&["a"]);
    let self_check = CheckId::derive(&["a"]);
    let due_event = MessageId::derive(&["a"]);
    let due_delivery = DeliveryId::derive(&["a"]);
    let due_notification = NotificationId::of(&participant, at, &["a"]);
    let due_campaign = CampaignId::derive(&["a"]);
    let due_journey = DueTask::Journey { participant: participant.clone(), campaign: due_campaign.clone() };
    for (key, task) in [
        (run(&organization, &billing_run), DueTask::BillingRun(billing_run)),
        (payout_batch(&organization, &batch), DueTask::PayoutBatch(batch)),
        (check(&organization, &self_check), DueTask::Check(self_check)),
        (event(&organization, &due_event), DueTask::Event(due_event)),
        (delivery(&organization, &due_delivery), DueTask::Delivery(due_delivery)),
        (notification(&organization, &due_notification), DueTask::Notification(due_notification)),
        (journey(&organization, &participant, &due_campaign), due_journey),
        (walk(&organization, &due_campaign), DueTask::Walk(due_campaign)),
        (tally(&organization, &participant), DueTask::Release(participant.clone())),
        (referee(&organization, &external_id), DueTask::Referee(external_id)),
        (customer(&organization, &customer_), DueTask::Customer(customer_)),
        (source(&organization, &source_id), DueTask::Source(source_id)),
        (reward(&organization, &reward_id), DueTask::Reward(reward_id)),
        (rates(&organization, day, currency), DueTask::Rates { day, currency }),
    ] {
        assert_eq!(parse_due(&key), Some(Due { organization: organization.clone(), task }), "{key:?}");
    }
}

#[test]
fn ways_through_campaigns_are_due_after_everything_else() {
    let (organization, at) = (organization(), Utc.timestamp_millis_opt(1_767_225_600_123).unwrap());
    let mut shards = BTreeSet::new();
    for number in 0..200 {
        let participant = ParticipantId::derive(&[&number.to_string()]);
        let key = journey(&organization, &participant, &CampaignId::derive(&["a"]));
        shards.insert(due_later(&key, at).pk);
        assert!(due(&key, at).pk < due_partition(DUE_SHARDS));
    }
    let expected: Vec<String> = (DUE_SHARDS..DUE_SHARDS + LATER_SHARDS).map(due_partition).collect();
    assert_eq!(Vec::from_iter(shards), expected);
}

#[test]
fn a_source_that_waits_for_a_rate_reads_back_as_it_is_written() {
    let day = Utc.timestamp_millis_opt(1_767_225_600_123).unwrap().date_naive();
    let (from, to) = (Currency::parse("EUR").unwrap(), Currency::parse("USD").unwrap());
    let source = SourceId::parse("invoice/stripe/in_1").unwrap();
    let key = waiting_for_rate(&organization(), RateKey { from, to, day }, &source);
    assert_eq!(parse_waiting_for_rate(&key.sk), Some((from, source)));
    assert!(("0".."~").contains(&key.sk.as_str()));
}

#[test]
fn keys_of_another_form_are_not_due() {
    for (pk, sk) in [
        ("", ""),
        ("a#RATES#2026-02-30", "RATES#USD"),
        ("a#RATES#2026-01-01", "RATES#XXX"),
        ("org", "SOURCE"),
        ("KEY#x", "KEY"),
        ("a#b#c", "L#1#2"),
    ] {
        assert_eq!(parse_due(&Key::new(pk, sk)), None);
    }
}

#[test]
fn invoices_line_items_and_lines_are_listed_apart() {
    let (organization, participant) = (organization(), ParticipantId::derive(&["a"]));
    let at = |day: i64| Utc.timestamp_opt(1_767_225_600 + day * 86_400, 0).unwrap();
    let usd = domain::money::Currency::parse("USD").unwrap();
    let id = |day| PartnerInvoiceId::of(&participant, at(day), &BillingRunId::derive(&["a"]), usd);
    let (first, second) = (id(1), id(2));
    let referee = ExternalId::parse("a|b:c").unwrap();
    assert_eq!(partner_invoice(&organization, &first).pk, participant_partition(&organization, &participant));
    let listed = |key: &Key| key.sk.starts_with(INVOICES);
    let of_first = |key: &Key| key.sk.starts_with(&invoice_items(&first));
    let item = |id| invoice_item(&organization, id, &referee, 3);
    for id in [&first, &second] {
        assert!(listed(&partner_invoice(&organization, id)));
        assert!(!listed(&item(id)) && !listed(&invoice_part(&organization, id, 1)));
        assert!(!item(id).sk.starts_with(LEDGER));
    }
    for key in [partner_invoice(&organization, &first), item(&first), invoice_part(&organization, &first, 1)]
    {
        assert!((INVOICE_ROWS..INVOICE_ROWS_END).contains(&key.sk.as_str()), "{key:?}");
        let (time, tail) = first.place();
        assert_eq!(invoice_place(&key.sk), Some(format!("{time}#{tail}").as_str()));
    }
    assert!(of_first(&item(&first)) && !of_first(&item(&second)));
    assert!(partner_invoice(&organization, &first).sk < partner_invoice(&organization, &second).sk);
}

#[test]
fn payable_invoices_are_listed_by_participant_and_read_back() {
    let (organization, program) = (organization(), ProgramId::derive(&["p"]));
    let currency = Currency::parse("USD").unwrap();
    let run = BillingRunId::derive(&["a"]);
    let at = |day: i64| Utc.timestamp_opt(1_767_225_600 + day * 86_400, 0).unwrap();
    for name in ["a", "b", "c", "d", "e", "f"] {
        let participant = ParticipantId::derive(&[name]);
        let key = |day| {
            let id = PartnerInvoiceId::of(&participant, at(day), &run, currency);
            payable(&organization, &program, currency, &id)
        };
        let (first, second) = (key(1), key(2));
        assert_eq!(first.pk, second.pk);
        assert!(first.sk < second.sk && first.sk.starts_with(&payable_of(&participant)));
        assert!(("0".."~").contains(&first.sk.as_str()));
        // What comes after all of a participant's.
        assert!(second.sk < format!("{participant}~"));
        assert_eq!(parse_payable(&first.sk), Some(participant));
        let shards =
            (0..PAYABLE_SHARDS).map(|shard| payable_partition(&organization, &program, currency, shard));
        assert_eq!(shards.filter(|pk| *pk == first.pk).count(), 1);
    }
}

#[test]
fn the_ledger_sorts_by_time_with_snapshots_after_their_moment() {
    let (organization, participant) = (organization(), ParticipantId::derive(&["a"]));
    let at = |millis: i64| Utc.timestamp_millis_opt(1_767_225_600_000 + millis).unwrap();
    let source = SourceId::parse("invoice/stripe/in_1").unwrap();
    let rule = RuleId::parse("commission").unwrap();
    let id = RewardId::of(&participant, at(0), &source, &rule, Unit::parse("USD").unwrap(), 0);
    let keys = [
        reward(&organization, &id).sk,
        entry(&organization, &id, 1, at(0)).sk,
        snapshot(&organization, &participant, &time_digits(at(0))).sk,
        entry(&organization, &id, 2, at(1)).sk,
    ];
    assert!(keys.is_sorted(), "{keys:?}");
    assert!(keys.iter().all(|sk| sk.as_str() > LEDGER && sk.as_str() < LEDGER_END));
    assert_eq!(keys.iter().filter(|sk| is_snapshot(sk)).count(), 1);
}
