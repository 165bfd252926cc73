use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::code::{ReferralCode, SIGNS};
use crate::id::{ExternalId, RuleId, SourceId};
use crate::money::Currency;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
}

fn discount() -> Discount {
    let organization = OrganizationId::derive(&["any"]);
    let program = ProgramId::derive(&["any"]);
    let external_id = ExternalId::parse("anna").unwrap();
    let participant = ParticipantId::of(&organization, &program, &external_id);
    let usd = Currency::parse("USD").unwrap();
    let (source, rule) = (SourceId::signup(&external_id), RuleId::parse("welcome").unwrap());
    Discount {
        code: DiscountCode::generate(&[7; 32], 0),
        reward: RewardId::of(&participant, at(0), &source, &rule, usd.into(), 0),
        organization,
        program,
        participant,
        worth: Worth::AmountOff(Money::new(500, usd)),
        created_at: at(0),
        valid_until: Some(at(100)),
        redeemed: None,
        withdrawn_at: None,
    }
}

fn reference(text: &str) -> ProcessorRef {
    ProcessorRef::parse(text).unwrap()
}

#[test]
fn a_discount_is_used_once_and_the_same_use_is_answered_the_same() {
    let mut discount = discount();
    let order = reference("order_1");
    assert_eq!(discount.redeem(&order, at(99)), Redeem::Now);
    discount.redeemed = Some(Redemption { reference: order.clone(), at: at(99) });
    // However late it is asked again, and whatever became of the reward since.
    discount.withdrawn_at = Some(at(120));
    assert_eq!(discount.state_at(at(500)), DiscountState::Redeemed);
    assert_eq!(discount.redeem(&order, at(500)), Redeem::Before);
    assert_eq!(discount.redeem(&reference("order_2"), at(99)), Redeem::Refused(DiscountState::Redeemed));
}

#[test]
fn what_was_taken_back_or_is_too_old_cannot_be_used() {
    let order = reference("order_1");
    let discount = discount();
    assert_eq!(discount.redeem(&order, at(100)), Redeem::Refused(DiscountState::Expired));
    let for_ever = Discount { valid_until: None, ..discount.clone() };
    assert_eq!(for_ever.redeem(&order, at(0) + TimeDelta::days(36_500)), Redeem::Now);
    let withdrawn = Discount { withdrawn_at: Some(at(10)), ..discount };
    assert_eq!(withdrawn.redeem(&order, at(20)), Redeem::Refused(DiscountState::Withdrawn));
    assert_eq!(withdrawn.redeem(&order, at(200)), Redeem::Refused(DiscountState::Withdrawn));
}

#[test]
fn a_code_is_read_as_it_is_shown_and_as_it_is_typed() {
    let code = DiscountCode::parse("2345CDFHJKMN").unwrap();
    assert_eq!(code.to_string(), "2345-CDFH-JKMN");
    for typed in ["2345-CDFH-JKMN", " 2345 cdfh jkmn ", "Z34S-cdfh-jkmn", "2345\u{2013}CDFH\u{2013}JKMN"] {
        assert_eq!(DiscountCode::parse(typed), Ok(code.clone()), "{typed}");
    }
    for (typed, error) in [
        ("", CodeError::Length),
        ("2345-CDFH-JKM", CodeError::Length),
        ("2345-CDFH-JKMNP", CodeError::Length),
        ("2345-CDFH-JKMI", CodeError::Character),
        ("2345-CDFH-JKM#", CodeError::Character),
        (&"2".repeat(INPUT_BYTES_MAX + 1), CodeError::Length),
    ] {
        assert_eq!(DiscountCode::parse(typed), Err(error), "{typed}");
    }
}

#[test]
fn the_signs_that_cannot_fail_are_a_code_too() {
    let plain = plain_signs(&[3; 32], 0, DISCOUNT_SIGNS);
    assert_eq!(DiscountCode::parse(&plain).map(|code| code.as_str().to_owned()), Ok(plain));
}

proptest! {
    #[test]
    fn codes_of_a_reward_are_the_same_and_those_of_others_and_of_later_attempts_are_not(entropy: [u8; 32]) {
        let codes: Vec<_> = (0..4).map(|attempt| DiscountCode::generate(&entropy, attempt)).collect();
        for (attempt, code) in (0..).zip(&codes) {
            prop_assert_eq!(&DiscountCode::generate(&entropy, attempt), code);
            prop_assert!(code.as_str().bytes().all(|sign| SIGNS.contains(&sign)));
            prop_assert_eq!(&DiscountCode::parse(&code.to_string()).unwrap(), code);
            // Nor is it ever what the system issues as a referral code, which is shorter.
            let referral = ReferralCode::generate("Anna", &entropy, attempt);
            prop_assert!(DiscountCode::parse(referral.as_str()).is_err());
        }
        let different: BTreeSet<_> = codes.iter().map(DiscountCode::as_str).collect();
        prop_assert_eq!(different.len(), codes.len());
    }
}
