//! Every order of a story under every single fault: a call that is refused, throttled, in conflict, whose answer is lost, at
//! which the process ends before or after it took effect, or that reads an index that lags. `cargo prove schedules` walks the
//! other manners, and all pairs of faults.

use tests::sim::{
    Delivery, Effect, Manner, RESTORED, Report, Schedule, Shape, Story, TAKEN, Walker, simulate,
};

const EAGER: Manner = Manner { shape: Shape::Basil, delivery: Delivery::Eager, late: false, ticking: false };
const LATE: Manner = Manner { shape: Shape::Old, delivery: Delivery::Lost, late: true, ticking: false };

#[track_caller]
fn walk(story: Story, manner: Manner, faults: usize, effects: &'static [Effect]) -> Report {
    simulate(async {
        let walker = Walker::new().await.with(effects);
        let report = walker.walk(story, manner, faults, &|_| ()).await;
        println!(
            "{}, {manner}, up to {faults} faults: {} schedules by {} steps between {} moments, {} calls, {} violations",
            story.name,
            report.schedules,
            report.steps,
            report.moments,
            report.calls,
            report.violations.len()
        );
        if let Some((schedule, words)) = report.violations.first() {
            let (_, trace) = walker.replay(schedule).await;
            panic!(
                "{words}\nin {schedule}\n{}\nTo see it again: cargo prove replay '{schedule}'",
                trace.join("\n")
            );
        }
        report
    })
}

/// What the table or the queue may have done without anybody's hearing of it. The other half of all faults is walked beside
/// it, by another test: each takes minutes.
const UNHEARD: &[Effect] =
    &[Effect::StopBefore, Effect::StopAfter, Effect::LoseAnswer, Effect::LoseAnswerOnce];
const REFUSED: &[Effect] = &[Effect::Refuse, Effect::Throttle, Effect::Conflict, Effect::Stale];
/// What befalls calls to others than AWS; nobody is called here.
const ELSEWHERE: &[Effect] = &[Effect::Late, Effect::ErrorBefore, Effect::ErrorAfter, Effect::Garbled];

#[test]
fn every_order_survives_every_stop_and_lost_answer_when_messages_come_at_once() {
    assert!(walk(TAKEN, EAGER, 1, UNHEARD).schedules > 30_000);
}

#[test]
fn every_order_survives_every_refusal_and_a_late_index_when_messages_come_at_once() {
    assert!(walk(TAKEN, EAGER, 1, REFUSED).schedules > 30_000);
}

#[test]
fn each_fault_of_a_call_to_aws_is_walked_by_one_of_both() {
    let mut known = [UNHEARD, REFUSED, ELSEWHERE].concat();
    known.sort_unstable();
    let mut all = Effect::ALL;
    all.sort_unstable();
    assert_eq!(known, all);
}

#[test]
fn every_order_comes_to_the_same_when_messages_are_lost_and_callers_repeat_late() {
    assert_eq!(walk(TAKEN, LATE, 0, &[]).schedules, 720);
}

#[test]
fn what_is_taken_back_and_restored_comes_to_the_same_in_every_order() {
    assert_eq!(walk(RESTORED, EAGER, 0, &[]).schedules, 40_320);
    assert_eq!(walk(RESTORED, LATE, 0, &[]).schedules, 40_320);
}

#[test]
fn a_schedule_reads_as_it_is_written() {
    let text = "taken/old-lost-late-ticking/paid,0:stop-after/sign-up/end,3:stale,4:lose-answer-once";
    assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
    for text in ["", "taken", "taken/quickly", "taken/old-lost-late-ticking/paid,0:explode"] {
        assert!(text.parse::<Schedule>().is_err(), "{text}");
    }
}
