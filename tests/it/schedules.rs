//! x

use tests::sim::{Delivery, Manner, Shape, TAKEN, Walker};

#[test]
fn probe() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let walker = Walker::new().await;
        for (manner, faults) in [
            (Manner { shape: Shape::Basil, delivery: Delivery::Eager, late: false, ticking: false }, 0),
            (Manner { shape: Shape::Old, delivery: Delivery::Lost, late: true, ticking: true }, 0),
            (Manner { shape: Shape::Basil, delivery: Delivery::Eager, late: false, ticking: false }, 1),
        ] {
            let begun = std::time::Instant::now();
            let report =
                walker.walk(TAKEN, manner, faults, &|line| println!("{line} {:?}", begun.elapsed())).await;
            println!(
                "{manner}: {} schedules, {} steps, {} moments, {} calls in {:?}, {} violations",
                report.schedules,
                report.steps,
                report.moments,
                report.calls,
                begun.elapsed(),
                report.violations.len()
            );
            for (schedule, words) in report.violations.iter().take(3) {
                let (_, trace) = walker.replay(schedule).await;
                println!("{schedule}: {words}\n{}", trace.join("\n"));
            }
        }
    });
}
