//! The black-box suite: the whole product on the local stage, through its API alone.

mod bad_input;
mod crash;
mod order;
mod races;
mod story;
