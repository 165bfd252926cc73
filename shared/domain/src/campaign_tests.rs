use super::*;
use crate::id::ParticipantId;

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + day * 86_400, 0).unwrap()
}

fn draft(audience: Audience, after_days: &[u32]) -> CampaignDraft {
    let message = MessageTemplate {
        transport: crate::terms::Transport::Webhook,
        subject: None,
        text: "Share {{ account_referral_code }}".to_owned(),
        html: None,
    };
    let step = |after_days: &u32| CampaignStep { after_days: *after_days, message: message.clone() };
    CampaignDraft {
        program: crate::id::ProgramId::from_entropy(&[0; 17]),
        name: "Summer".to_owned(),
        audience,
        starts_at: Some(at(0)),
        ends_at: None,
        steps: after_days.iter().map(step).collect(),
        goal: None,
        per_day_max: None,
    }
}

fn plan(audience: Audience, after_days: &[u32]) -> Plan {
    draft(audience, after_days).plan(at(0))
}

fn notification(step: u32) -> NotificationId {
    NotificationId::of(&ParticipantId::from_entropy(&[0; 17]), at(0), &[&step.to_string()])
}

/// What is sent when a journey is looked at whenever it is due, for a year: the days of each step.
fn walk(plan: &Plan, enrolled: i64, seen: impl Fn(i64) -> Seen) -> (Vec<(u32, i64)>, Journey) {
    let mut journey = plan.begin(at(enrolled)).unwrap();
    let mut sent = Vec::new();
    for day in enrolled..enrolled + 365 {
        // Each wakes at its hour; none is looked at before.
        for _ in 0..3 {
            if journey.next_at.is_none_or(|next| next > at(day)) {
                break;
            }
            match plan.next(&journey, seen(day), at(day)) {
                Next::Send => {
                    sent.push((journey.step, day));
                    journey = plan.sent(&journey, &notification(journey.step), at(day));
                }
                Next::Become(other) => journey = other,
            }
        }
    }
    (sent, journey)
}

fn nothing(_: i64) -> Seen {
    Seen::default()
}

fn referred(on: &'static [i64]) -> impl Fn(i64) -> Seen {
    move |day| Seen {
        last_referral: on.iter().filter(|on| **on <= day).max().map(|on| at(*on)),
        ..Seen::default()
    }
}

#[test]
fn whoever_is_enrolled_is_sent_each_step_once() {
    let plan = plan(Audience::NewParticipants, &[0, 3, 10]);
    let (sent, journey) = walk(&plan, 5, nothing);
    assert_eq!(sent, [(0, 5), (1, 8), (2, 15)]);
    assert_eq!(journey.over, Some(Over::Completed));
    assert_eq!(journey.sent.len(), 3);
    assert_eq!(plan.begin(at(-1)), None);
}

#[test]
fn whoever_comes_late_is_not_sent_everything_at_once() {
    let plan = plan(Audience::AllParticipants, &[0, 3]);
    let mut journey = plan.begin(at(-100)).unwrap();
    assert_eq!(journey.next_at, Some(at(0)));
    assert_eq!(plan.next(&journey, Seen::default(), at(20)), Next::Send);
    journey = plan.sent(&journey, &notification(0), at(20));
    assert_eq!(journey.next_at, Some(at(23)));
}

#[test]
fn the_goal_ends_a_sequence() {
    let mut plan = plan(Audience::NewParticipants, &[1, 5]);
    plan.goal = Some(Goal::Referral);
    let (sent, journey) = walk(&plan, 0, referred(&[2]));
    assert_eq!((sent.as_slice(), journey.over), ([(0, 1)].as_slice(), Some(Over::GoalReached)));
    // What was reached before does not count.
    let (sent, journey) = walk(&plan, 3, referred(&[2]));
    assert_eq!((sent.len(), journey.over), (2, Some(Over::Completed)));
    plan.goal = Some(Goal::Reward);
    let rewarded = |day| Seen { last_reward: (day >= 4).then(|| at(4)), ..Seen::default() };
    let (sent, journey) = walk(&plan, 0, rewarded);
    assert_eq!((sent.len(), journey.over), (1, Some(Over::GoalReached)));
}

#[test]
fn whoever_is_inactive_is_reminded_and_again_after_the_next_referral() {
    let plan = plan(Audience::InactiveForDays(30), &[0, 7]);
    let (sent, journey) = walk(&plan, 0, referred(&[10, 20, 100]));
    // Thirty days after the 20th, not after the enrolment; then nothing until thirty days after the 100th.
    assert_eq!(sent, [(0, 50), (1, 57), (0, 130), (1, 137)]);
    assert_eq!(journey.over, None);
    assert!(journey.next_at.is_some());
    assert_eq!(journey.round, 2);
}

#[test]
fn whoever_refers_between_two_reminders_is_not_sent_the_second() {
    let plan = plan(Audience::InactiveForDays(30), &[0, 7]);
    let (sent, _) = walk(&plan, 0, referred(&[33]));
    assert_eq!(sent, [(0, 30), (0, 63), (1, 70)]);
}

#[test]
fn nothing_is_sent_after_the_end_or_to_whoever_has_unsubscribed() {
    let mut ends = plan(Audience::AllParticipants, &[0, 5]);
    ends.ends_at = Some(at(3));
    let (sent, journey) = walk(&ends, 1, nothing);
    assert_eq!((sent.as_slice(), journey.over), ([(0, 1)].as_slice(), Some(Over::Ended)));
    assert_eq!(ends.begin(at(3)), None);
    let plan = plan(Audience::AllParticipants, &[0, 5]);
    let gone = |day| Seen { unsubscribed: day >= 2, ..Seen::default() };
    let (sent, journey) = walk(&plan, 0, gone);
    assert_eq!((sent.as_slice(), journey.over), ([(0, 0)].as_slice(), Some(Over::Unsubscribed)));
}

#[test]
fn what_is_paused_waits_and_goes_on() {
    let mut plan = plan(Audience::NewParticipants, &[0]);
    let journey = plan.begin(at(1)).unwrap();
    plan.status = CampaignStatus::Paused;
    let Next::Become(waits) = plan.next(&journey, Seen::default(), at(1)) else { panic!("it is sent") };
    assert_eq!(waits.next_at, Some(at(2)));
    plan.status = CampaignStatus::Active;
    assert_eq!(plan.next(&waits, Seen::default(), at(2)), Next::Send);
    plan.status = CampaignStatus::Ended;
    let Next::Become(ended) = plan.next(&waits, Seen::default(), at(2)) else { panic!("it is sent") };
    assert_eq!((ended.over, ended.next_at), (Some(Over::Ended), None));
}

#[test]
fn a_campaign_rests_and_ends_with_its_program_and_rests_for_whoever_does_not_take_part() {
    use CampaignStatus::{Active, Ended, Paused};
    let plan = plan(Audience::NewParticipants, &[0]);
    let statuses = [ProgramStatus::Draft, ProgramStatus::Active, ProgramStatus::Paused, ProgramStatus::Ended];
    for (own, expected) in [
        (Active, [Paused, Active, Paused, Ended]),
        (Paused, [Paused, Paused, Paused, Ended]),
        (Ended, [Ended; 4]),
    ] {
        let plan = Plan { status: own, ..plan.clone() };
        assert_eq!(statuses.map(|program| plan.in_force(program, true).status), expected);
        let absent = expected.map(|status| if status == Active { Paused } else { status });
        assert_eq!(statuses.map(|program| plan.in_force(program, false).status), absent);
    }
}

#[test]
fn what_a_day_has_no_room_for_waits_for_the_next() {
    let plan = plan(Audience::NewParticipants, &[0]);
    let journey = plan.begin(at(1)).unwrap();
    let later = plan.tomorrow(&journey, at(1));
    let next = later.next_at.unwrap();
    assert_eq!(next.time(), NaiveTime::MIN);
    assert!(next > at(1) && next <= at(2));
    assert_eq!(later.step, 0);
}

#[test]
fn a_journey_remembers_the_latest_that_was_sent() {
    let plan = plan(Audience::InactiveForDays(1), &[0]);
    let mut journey = plan.begin(at(0)).unwrap();
    for _ in 0..60 {
        journey = Journey { step: 0, ..plan.sent(&journey, &notification(0), at(1)) };
    }
    assert_eq!(journey.sent.len(), SENT_MAX);
}

#[test]
fn what_contradicts_itself_is_refused_by_the_field() {
    let check = |change: fn(&mut CampaignDraft), pointer: &str| {
        let mut draft = draft(Audience::NewParticipants, &[0, 3]);
        assert_eq!(draft.flaws(at(0)), []);
        change(&mut draft);
        let flaws = draft.flaws(at(0));
        assert!(flaws.iter().any(|flaw| flaw.pointer == pointer), "{pointer}: {flaws:?}");
    };
    check(|draft| draft.name = " ".to_owned(), "/name");
    check(|draft| draft.name = "x".repeat(101), "/name");
    check(|draft| draft.audience = Audience::InactiveForDays(0), "/audience/inactive_for_days");
    check(|draft| draft.audience = Audience::InactiveForDays(366), "/audience/inactive_for_days");
    check(|draft| draft.ends_at = draft.starts_at, "/ends_at");
    check(|draft| draft.starts_at = Some(at(5_000)), "/starts_at");
    check(|draft| draft.per_day_max = Some(0), "/per_day_max");
    check(|draft| draft.steps.clear(), "/steps");
    check(|draft| draft.steps = vec![draft.steps[0].clone(); 11], "/steps");
    check(|draft| draft.steps[1].after_days = 0, "/steps/1/after_days");
    check(|draft| draft.steps[1].after_days = 366, "/steps/1/after_days");
    check(|draft| draft.steps[1].message.text = "{{ reward_amount }}".to_owned(), "/steps/1/message/text");
    check(|draft| draft.steps[0].message.text = String::new(), "/steps/0/message/text");
    check(
        |draft| draft.steps[0].message.transport = crate::terms::Transport::Email,
        "/steps/0/message/subject",
    );
}
