//! What the black-box suite stands on: a stage of its own for each test, and the API as a caller uses it.

pub mod openapi;
mod partners;
mod receiver;
pub mod sim;
pub mod stripe;
pub mod table;
mod tenant;
mod world;

pub use partners::Partners;
pub use receiver::{Got, Receiver, Reply};
pub use tenant::{Answer, CHARGEBEE_SECRET, PADDLE_SECRET, Participant, STRIPE_SECRET, Tenant, percent_rule};
pub use world::World;

/// Every order of these.
pub fn permutations<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    if all.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for (index, first) in all.iter().enumerate() {
        let mut rest = all.to_vec();
        rest.remove(index);
        for mut order in permutations(&rest) {
            order.insert(0, first.clone());
            orders.push(order);
        }
    }
    orders
}
