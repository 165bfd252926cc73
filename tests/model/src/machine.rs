//! The machine: the model and a system, side by side.

use std::marker::PhantomData;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use crate::any::{any_step, any_tenants};
use crate::model::{Expected, expect, expect_of};
use crate::op::{Op, Strange, World};
use crate::system::{Books, System, check_appended, compare};

/// What is told to model and system alike.
#[derive(Debug)]
pub struct Machine;

impl ReferenceStateMachine for Machine {
    type State = World;
    /// To whom what happens; and whether everything is compared after it.
    type Transition = (usize, Op, bool);

    fn init_state() -> BoxedStrategy<World> {
        any_tenants().prop_map(World::new).boxed()
    }

    fn transitions(_world: &World) -> BoxedStrategy<Self::Transition> {
        (any_step(), prop::bool::weighted(0.05))
            .prop_map(|((tenant, op), compare)| (tenant, op, compare))
            .boxed()
    }

    fn apply(world: World, (tenant, op, _): &Self::Transition) -> World {
        world.after(*tenant, op)
    }
}

/// A system under test, and what it had written when it was last looked at.
#[derive(Debug)]
pub struct Run<S> {
    system: S,
    books: Vec<Books>,
}

impl<S: System> Run<S> {
    fn compare(&mut self, world: &World) {
        for (tenant, before) in self.books.iter_mut().enumerate() {
            let books = self.system.books(tenant);
            check_appended(before, &books);
            compare(&books, &expect(world, tenant));
            *before = books;
        }
    }
}

/// Drives a system.
#[derive(Debug)]
pub struct Drive<S>(PhantomData<S>);

impl<S: System> StateMachineTest for Drive<S> {
    type SystemUnderTest = Run<S>;
    type Reference = Machine;

    fn init_test(world: &World) -> Run<S> {
        Run { system: S::begin(world), books: vec![Books::default(); world.tenants.len()] }
    }

    fn apply(mut run: Run<S>, world: &World, (_, op, look): (usize, Op, bool)) -> Run<S> {
        let told = world.told.last().unwrap();
        let expected = match op {
            Op::SignUp { .. } => expect_of(world, told.tenant, |op| {
                matches!(op, Op::SignUp { .. } | Op::Terms { .. } | Op::Pause { .. } | Op::Wait { .. })
            }),
            // The model must say which reward is meant, or whether the payment is refused.
            Op::TakeBack { .. } | Op::Paid { strange: Strange::Payer | Strange::Currency, .. } => {
                expect(world, told.tenant)
            }
            _ => Expected::default(),
        };
        let refused = run.system.apply(told, expected.aimed.as_ref());
        match refused {
            Some(reason) => {
                assert!(expected.refusal.contains(&reason), "{reason}, not {:?}", expected.refusal)
            }
            None => assert_eq!(expected.refusal, [], "must be refused"),
        }
        if look {
            run.compare(world);
        }
        run
    }

    fn teardown(mut run: Run<S>, world: World) {
        run.compare(&world);
    }
}
