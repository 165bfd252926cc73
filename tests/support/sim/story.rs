//! What happens to one referral, and how the world around it behaves.

use std::fmt;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Ben signs up with Anna's code.
    SignUp,
    /// He pays 200.00.
    Paid,
    /// The same payment is told of under another name.
    Twin,
    /// 50.00 are refunded.
    RefundOne,
    /// 25.00 are refunded.
    RefundTwo,
    /// The second refund fails.
    RefundFailed,
    /// A dispute over 30.00 is opened.
    DisputeOpened,
    /// Its funds are withdrawn.
    FundsWithdrawn,
    /// It is won.
    DisputeWon,
    /// It is lost.
    DisputeLost,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SignUp,
        Self::Paid,
        Self::Twin,
        Self::RefundOne,
        Self::RefundTwo,
        Self::RefundFailed,
        Self::DisputeOpened,
        Self::FundsWithdrawn,
        Self::DisputeWon,
        Self::DisputeLost,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign-up",
            Self::Paid => "paid",
            Self::Twin => "twin",
            Self::RefundOne => "refund-1",
            Self::RefundTwo => "refund-2",
            Self::RefundFailed => "refund-failed",
            Self::DisputeOpened => "dispute-opened",
            Self::FundsWithdrawn => "funds-withdrawn",
            Self::DisputeWon => "dispute-won",
            Self::DisputeLost => "dispute-lost",
        }
    }
}

/// Events that end in the same money in every order.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens, each once.
    pub events: &'static [Event],
    /// What Anna has of it at the end: 10 percent of what stands.
    pub ends_in: i64,
}

/// What is paid is taken back in part, three times.
pub const TAKEN: Story = Story {
    name: "taken",
    events: &[
        Event::SignUp,
        Event::Paid,
        Event::Twin,
        Event::RefundOne,
        Event::RefundTwo,
        Event::DisputeLost,
    ],
    ends_in: 950,
};

/// What is taken back comes back: a dispute is won, a refund fails.
pub const RESTORED: Story = Story {
    name: "restored",
    events: &[
        Event::SignUp,
        Event::Paid,
        Event::Twin,
        Event::RefundTwo,
        Event::RefundFailed,
        Event::DisputeOpened,
        Event::FundsWithdrawn,
        Event::DisputeWon,
    ],
    ends_in: 2_000,
};

/// Which of Stripe's shapes the events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 2020-08-27: the charge names its invoice.
    Old,
    /// Since 2025-03-31: only `invoice_payment.paid` ties a payment to its invoice.
    Basil,
}

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// They are delivered after each event.
    Eager,
    /// They are delivered after the last event, when the sweeper has sent them again.
    Lazy,
    /// They are lost; what the sweeper sends is delivered.
    Lost,
}

/// How the world around the events behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Which shape the events have.
    pub shape: Shape,
    /// What becomes of messages.
    pub delivery: Delivery,
    /// Whether what was not acknowledged is repeated after all other events, rather than at once.
    pub late: bool,
    /// Whether a second passes between two events.
    pub ticking: bool,
}

impl Manner {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for shape in [Shape::Basil, Shape::Old] {
            for delivery in [Delivery::Eager, Delivery::Lazy, Delivery::Lost] {
                for late in [false, true] {
                    for ticking in [false, true] {
                        all.push(Self { shape, delivery, late, ticking });
                    }
                }
            }
        }
        all
    }
}

impl fmt::Display for Manner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = if self.shape == Shape::Basil { "basil" } else { "old" };
        let delivery = match self.delivery {
            Delivery::Eager => "eager",
            Delivery::Lazy => "lazy",
            Delivery::Lost => "lost",
        };
        let late = if self.late { "late" } else { "soon" };
        let ticking = if self.ticking { "ticking" } else { "still" };
        write!(formatter, "{shape}-{delivery}-{late}-{ticking}")
    }
}
