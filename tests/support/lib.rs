//! What the black-box suite stands on: a stage of its own for each test, and the API as a caller uses it.

pub mod openapi;
mod tenant;
mod world;

pub use tenant::{Answer, CHARGEBEE_SECRET, PADDLE_SECRET, Participant, STRIPE_SECRET, Tenant, percent_rule};
pub use world::World;
