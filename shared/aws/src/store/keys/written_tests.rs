//! The keys of rows as they stand in tables by now: a row is found by them for as long as it is kept, whatever version wrote it.

use std::collections::BTreeSet;

use chrono::TimeZone as _;
use domain::id::{BillingRunId, CampaignId, NotificationId, PartnerInvoiceId, PayoutBatchId, RuleId, TaskId};
use domain::money::Unit;

use super::*;

fn organization() -> OrganizationId {
    OrganizationId::from_entropy(&[7; 17])
}

/// 1 January 2026, and so many milliseconds; the digits of the first are [`TIME`].
fn at(millis: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(1_767_225_600_000 + millis).unwrap()
}

const TIME: &str = "01kdvdna00";

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn reward_id(participant: &ParticipantId) -> RewardId {
    let (source, rule) =
        (SourceId::parse("invoice/stripe/in_1").unwrap(), RuleId::parse("commission").unwrap());
    RewardId::of(participant, at(0), &source, &rule, Unit::parse("USD").unwrap(), 0)
}

/// A key, with the organization's own id as `org`.
#[track_caller]
fn assert_written(key: &Key, pk: &str, sk: &str) {
    let short = |text: &str| text.replace(organization().as_str(), "org");
    assert_eq!((short(&key.pk).as_str(), short(&key.sk).as_str()), (pk, sk));
}

#[test]
fn rows_of_an_organization() {
    let org = organization();
    let (program_id, anna) = (ProgramId::derive(&["p"]), ParticipantId::derive(&["a"]));
    let stripe = Processor::parse("stripe").unwrap();
    let (key_id, endpoint_id) = (ApiKeyId::derive(&["a"]), EndpointId::derive(&["a"]));
    let (destination_id, message) = (DestinationId::derive(&["a"]), MessageId::derive(&["a"]));
    let (delivery_id, self_check) = (DeliveryId::derive(&["a"]), CheckId::derive(&["a"]));
    let (new_year, ben) = (at(0).date_naive(), ExternalId::parse("ben").unwrap());
    assert_eq!((DIRECTORY, within(&org)), ("ORGANIZATIONS", format!("{org}#")));
    assert_written(&directory(&org), "ORGANIZATIONS", "org");
    assert_written(&api_key("5e88"), "KEY#5e88", "KEY");
    assert_written(&api_key_listing(&org, &key_id), "org", &format!("KEY#{key_id}"));
    assert_written(&endpoint(&endpoint_id), &format!("ENDPOINT#{endpoint_id}"), "ENDPOINT");
    assert_written(&endpoint_listing(&org, &endpoint_id), "org", &format!("ENDPOINT#{endpoint_id}"));
    assert_written(&connection(&org, &stripe), "org", "PROCESSOR#stripe");
    assert_written(&program(&org, &program_id), "org", &format!("PROGRAM#{program_id}"));
    assert_written(&terms(&org, &program_id, 2), &format!("org#{program_id}"), "TERMS#000002");
    assert_written(&report(&org, new_year), "org", "REPORT#2026-01-01");
    assert_written(&destination(&org, &destination_id), "org", &format!("DESTINATION#{destination_id}"));
    assert_written(&event(&org, &message), &format!("org#{message}"), "EVENT");
    assert_written(&delivery(&org, &delivery_id), &format!("org#{delivery_id}"), "DELIVERY");
    let listed = delivery_listing(&org, &destination_id, &delivery_id, at(0));
    assert_written(&listed, &format!("org#{destination_id}"), &format!("{TIME}#{delivery_id}"));
    assert_eq!(deliveries_partition(&org, &destination_id), listed.pk);
    assert_written(&check(&org, &self_check), &format!("org#{self_check}"), "CHECK");
    assert_written(&token("5e88"), "TOKEN#5e88", "TOKEN");
    let referral = referrer(&org, &anna, &ben, at(0));
    assert_written(&referral, &format!("org#{anna}"), &format!("{TIME}#ben"));
    assert_eq!(moment_in(&referral.sk), Some(at(0)));
    assert_eq!((moment_in(TIME), moment_in("PARTICIPANT")), (Some(at(0)), None));
}

#[test]
fn rows_of_people() {
    let org = organization();
    let (anna, ben) = (ParticipantId::derive(&["a"]), ExternalId::parse("ben").unwrap());
    let hers = format!("org#{anna}");
    let (reward_id, stripe) = (reward_id(&anna), Processor::parse("stripe").unwrap());
    let (time, tail) = reward_id.place();
    assert_eq!(time, TIME);
    assert_written(&participant(&org, &anna), &hers, "PARTICIPANT");
    assert_eq!(participant_of(&participant(&org, &anna)), Ok(anna.clone()));
    assert_written(&reward(&org, &reward_id), &hers, &format!("L#{TIME}#{tail}"));
    assert_written(&entry(&org, &reward_id, 2, at(1)), &hers, &format!("L#01kdvdna01#{tail}.000002"));
    assert_written(&snapshot(&org, &anna, TIME), &hers, &format!("L#{TIME}#~"));
    assert_eq!(ledger_from(at(0)), format!("L#{TIME}"));
    for (sk, expected) in [("L#1#~", true), ("L#1#2", false), ("INVOICE#1#~", false)] {
        assert_eq!(is_snapshot(sk), expected, "{sk}");
    }
    for (amount, what) in [(1, "redemption"), (-1, "return")] {
        let reference = ExternalId::parse("order_1").unwrap();
        let tail = EntryId::derive(&[what, "order_1"]);
        let (participant, unit) = (anna.clone(), Unit::parse("USD").unwrap());
        let line = Redemption { participant, reference, amount, unit, note: None, recorded_at: at(0) };
        assert_written(&redemption_line(&org, &line), &hers, &format!("L#{TIME}#{tail}"));
    }
    assert_written(
        &redemption(&org, &anna, &ExternalId::parse("order_1").unwrap()),
        &hers,
        "REDEMPTION#order_1",
    );
    assert_written(&spending(&org, &anna), &hers, "SPENDING");
    assert_written(&tally(&org, &anna), &hers, "TALLY");
    assert_written(&code(&org, &ReferralCode::parse("ANN-2345").unwrap()), "org#CODE#ANN2345", "CODE");
    let once = DiscountCode::parse("2345-CDFH-JKMN").unwrap();
    assert_written(&discount(&org, &once), "org#DISCOUNT#2345CDFHJKMN", "DISCOUNT");
    assert_written(&referee(&org, &ben), "org#REFEREE#ben", "REFEREE");
    assert_written(&share(&org, &ben, 1, 2), "org#REFEREE#ben", "SHARE#1.2");
    assert_written(&former(&org, &ben, 1), "org#REFEREE#ben", "FORMER#1");
    let visitor = VisitorId::parse("v_1").unwrap();
    let seen = touch(&org, &visitor, &anna, at(0));
    assert_written(&seen, "org#VISITOR#v_1", &format!("T#{TIME}#{anna}"));
    assert_eq!(visitor_partition(&org, &visitor), seen.pk);
    let reference = |text: &str| ProcessorRef::parse(text).unwrap();
    let known = Customer { processor: stripe.clone(), reference: reference("cus_1") };
    assert_written(&customer(&org, &known), "org#CUSTOMER#stripe#cus_1", "CUSTOMER");
    assert_written(
        &promotion(&org, &stripe, &reference("promo_1")),
        "org#PROMOTION#stripe#promo_1",
        "PROMOTION",
    );
}

#[test]
fn rows_of_sources_and_rates() {
    let (org, new_year) = (organization(), at(0).date_naive());
    let invoice = SourceId::parse("invoice/stripe/in_1").unwrap();
    assert_written(&source(&org, &invoice), "org#SOURCE#invoice/stripe/in_1", "SOURCE");
    let shard = source(&org, &invoice).shard(LIST_SHARDS);
    for (expired, kind) in [(false, "PARKED"), (true, "EXPIRED")] {
        let pk = format!("org#{kind}#{shard}");
        assert_written(&parked(&org, &invoice, at(0), expired), &pk, &format!("{TIME}#invoice/stripe/in_1"));
    }
    assert_written(&rates(&org, new_year, usd()), "org#RATES#2026-01-01", "RATES#USD");
    assert_eq!(rates_partition(&org, new_year), rates(&org, new_year, usd()).pk);
    let key = RateKey { from: Currency::parse("EUR").unwrap(), to: usd(), day: new_year };
    let waiting = waiting_for_rate(&org, key, &invoice);
    assert_written(&waiting, "org#RATE#2026-01-01#USD", "EUR#invoice/stripe/in_1");
    let pk = source(&org, &invoice).shard(DAY_SHARDS);
    assert_written(&day(&org, &source(&org, &invoice), at(0)), &format!("org#2026-01-01#{pk}"), TIME);
}

#[test]
fn rows_of_billing() {
    let org = organization();
    let (program_id, anna) = (ProgramId::derive(&["p"]), ParticipantId::derive(&["a"]));
    let (hers, programs) = (format!("org#{anna}"), format!("org#{program_id}"));
    let run_id = BillingRunId::derive(&["a"]);
    let invoice = PartnerInvoiceId::of(&anna, at(0), &run_id, usd());
    let place = format!("{TIME}#{}", invoice.place().1);
    assert_written(&partner_invoice(&org, &invoice), &hers, &format!("INVOICE#{place}"));
    let ben = ExternalId::parse("ben").unwrap();
    assert_written(
        &invoice_item(&org, &invoice, &ben, 3),
        &hers,
        &format!("INVOICE-ITEM#{place}#ben#000003"),
    );
    assert_written(&invoice_part(&org, &invoice, 1), &hers, &format!("INVOICE-PART#{place}#000001"));
    let of_run = format!("org#{run_id}");
    assert_written(&run(&org, &run_id), &of_run, "RUN");
    assert_written(&run_invoice(&org, &run_id, &invoice), &of_run, &format!("INVOICE#{invoice}"));
    assert_written(&run_seen(&org, &run_id, &anna), &of_run, &format!("SEEN#{anna}"));
    assert_written(&run_listing(&org, &run_id, at(0)), "org#RUNS", &format!("{TIME}#{run_id}"));
    let shard = Key::new(participant_partition(&org, &anna), "").shard(PAYABLE_SHARDS);
    let pk = format!("{programs}#PAYABLE#USD#{shard}");
    assert_written(&payable(&org, &program_id, usd(), &invoice), &pk, &format!("{anna}#{place}"));
    let batch = PayoutBatchId::derive(&["a"]);
    let of_batch = format!("org#{batch}");
    assert_written(&payout_batch(&org, &batch), &of_batch, "BATCH");
    assert_written(&payout_line(&org, &batch, &anna), &of_batch, &format!("LINE#{anna}"));
    assert_written(&payout_listing(&org, &batch, at(0)), "org#PAYOUTS", &format!("{TIME}#{batch}"));
    assert_written(&payout_at_work(&org, &program_id, usd()), &programs, "PAYOUT#USD");
    assert_written(&billing(&org, &program_id), &programs, "BILLING");
    assert_written(&carry(&org, &program_id, &anna), &format!("{programs}#CARRY"), anna.as_str());
}

#[test]
fn rows_of_what_is_sent() {
    let (org, anna) = (organization(), ParticipantId::derive(&["a"]));
    let hers = format!("org#{anna}");
    let (spring, told) = (CampaignId::derive(&["a"]), NotificationId::of(&anna, at(0), &["a"]));
    let of_spring = format!("org#{spring}");
    assert_written(&campaign(&org, &spring), "org", &format!("CAMPAIGN#{spring}"));
    assert_written(&campaign_messages(&org, &spring), &of_spring, "MESSAGES");
    assert_written(&walk(&org, &spring), &of_spring, "WALK");
    assert_written(&campaign_day(&org, &spring, at(0).date_naive()), &of_spring, "DAY#2026-01-01");
    assert_written(&journey(&org, &anna, &spring), &hers, &format!("JOURNEY#{spring}"));
    assert_written(&notification(&org, &told), &hers, &format!("NOTIFICATION#{TIME}#{}", told.place().1));
    let job = TaskId::derive(&["a"]);
    assert_written(&task(&org, &job), &format!("org#{job}"), "TASK");
    let shard = task(&org, &job).shard(LIST_SHARDS);
    for (open, kind) in [(true, "TASKS"), (false, "CLOSED-TASKS")] {
        let listed = task_listing(&org, &job, at(0), open);
        assert_written(&listed, &format!("org#{kind}#{shard}"), &format!("{TIME}#{job}"));
    }
    let program_id = ProgramId::derive(&["p"]);
    let shard = participant(&org, &anna).shard(LIST_SHARDS);
    let listed = participant_listing(&org, &program_id, &anna, at(0));
    assert_written(&listed, &format!("org#{program_id}#PARTICIPANTS#{shard}"), &format!("{TIME}#{anna}"));
}

#[test]
fn a_row_is_in_one_shard_for_good_and_rows_are_in_all_of_them() {
    // The check sum of the key's bytes (CRC-32, IEEE 802.3) decides: of "123456789" it is 0xCBF43926.
    let key = Key::new("12345", "6789");
    assert_eq!([4, 16, 1_000].map(|shards| key.shard(shards)), [2, 6, 262]);
    let shards: BTreeSet<u32> =
        (0..100).map(|number| Key::new("a", number.to_string()).shard(DUE_SHARDS)).collect();
    assert_eq!(shards, (0..DUE_SHARDS).collect());
    assert_eq!((due_partition(3), due(&key, at(0))), ("DUE#03".to_owned(), Key::new("DUE#06", TIME)));
}

#[test]
fn what_is_due_has_a_name_in_findings() {
    let anna = ParticipantId::derive(&["a"]);
    let (spring, reward_id) = (CampaignId::derive(&["a"]), reward_id(&anna));
    let second = SourceId::reward(&reward_id);
    let of = |task| Due { organization: organization(), task };
    assert_eq!(of(DueTask::Reward(reward_id.clone())).row(), format!("reward/{reward_id}"));
    let journey = DueTask::Journey { participant: anna.clone(), campaign: spring.clone() };
    assert_eq!(of(journey).row(), format!("journey/{anna}/{spring}"));
    // The source of second-level rewards is no payment that waits.
    let key = source(&organization(), &second);
    assert_eq!(parse_due(&key), Some(of(DueTask::Cascade(second))));
}
