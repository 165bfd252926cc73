//! The black-box suite: the whole product on the local stage, through its API alone.

mod order;
mod story;
