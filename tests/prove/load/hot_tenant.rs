//! One organization with nine tenths of the traffic beside nine small ones.

use tests::{Participant, Tenant, World};
use tokio::time::Instant;

use super::{CALLERS, all_of, rate, rest, until_taken};
use crate::counts::Counts;
use crate::progress;

const TENANTS: usize = 10;
const PAYMENTS: usize = 5_000;
/// Referees of each organization.
const REFEREES: usize = 20;
/// One payment of so many is a small organization's.
const SMALL_EVERY: usize = 10;

/// Whose a payment is, and which of its payments it is: number 0 is the large organization.
fn owner(number: usize) -> usize {
    if number.is_multiple_of(SMALL_EVERY) { 1 + number / SMALL_EVERY % (TENANTS - 1) } else { 0 }
}

/// All different, so that a payment of another organization would show.
fn amount(number: usize) -> i64 {
    10_000 + 10 * i64::try_from(number).expect("a small number")
}

pub(super) async fn run() -> Counts {
    let world = World::start().await;
    let mut tenants: Vec<(Tenant, Participant)> = Vec::with_capacity(TENANTS);
    for _ in 0..TENANTS {
        let tenant = world.tenant().await;
        let anna = tenant.with_anna("10").await;
        for number in 0..REFEREES {
            tenant.sign_up(&format!("ben-{number}"), &anna.code).await.created();
        }
        tenants.push((tenant, anna));
    }
    progress(&format!("{PAYMENTS} payments of {TENANTS} organizations, {CALLERS} at a time ..."));
    // The same ids everywhere: nothing but the key tells the organizations apart.
    let (answered, put_off) = all_of(PAYMENTS, CALLERS, |number| {
        let tenant = &tenants[owner(number)].0;
        until_taken(move || async move {
            tenant.pay(&format!("ben-{}", number % REFEREES), &format!("in_{number}"), amount(number)).await
        })
    })
    .await;
    let begun = Instant::now();
    world.drain().await;
    let mut counts = Counts::of("One hot tenant beside nine small ones");
    let hot = (0..PAYMENTS).filter(|number| owner(*number) == 0).count();
    counts.add("payments", format!("{PAYMENTS}, {answered}"));
    counts.add("  of the hot organization", hot);
    counts.add("asked to come back (503)", put_off.iter().sum::<usize>());
    counts.add("still to be delivered after the last answer", rate(PAYMENTS, begun));
    let (mut exact, mut rewards) = (0, 0);
    for (index, (tenant, anna)) in tenants.iter().enumerate() {
        let own: Vec<usize> = (0..PAYMENTS).filter(|number| owner(*number) == index).collect();
        let total: i64 = own.iter().map(|number| amount(*number) / 10).sum();
        let found = tenant.list(&format!("/v1/rewards?participant={}", anna.id)).await;
        rewards += found.len();
        exact += usize::from(found.len() == own.len() && tenant.figures(anna).await == (total, 0, total, 0));
    }
    counts.must("rewards", rewards, PAYMENTS);
    counts.must("organizations with exactly their own", exact, TENANTS);
    counts.must("announcements", world.told().await.len(), PAYMENTS);
    rest(&world, &mut counts).await;
    counts
}
