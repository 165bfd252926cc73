//! Variants of terms in an A/B test: which one a referee gets, the same one for good.

use crate::id::{ExternalId, Label, ProgramId, digest};
use crate::terms::Variant;

/// The referee's variant; none when the terms have none. It depends on the program, the referee and the variants'
/// names and weights alone, so it is stable until those are changed.
#[must_use]
pub fn variant_of(program: &ProgramId, referee: &ExternalId, variants: &[Variant]) -> Option<Label> {
    let total: u64 = variants.iter().map(|variant| u64::from(variant.weight)).sum();
    let hash = digest("variant", &[program.as_str(), referee.as_str()]);
    let number = hash.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let mut place = number.checked_rem(total)?;
    for variant in variants {
        let weight = u64::from(variant.weight);
        if place < weight {
            return Some(variant.name.clone());
        }
        place -= weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variants(weights: &[(&str, u32)]) -> Vec<Variant> {
        let variant =
            |(name, weight): &(&str, u32)| Variant { name: Label::parse(name).unwrap(), weight: *weight };
        weights.iter().map(variant).collect()
    }

    #[test]
    fn referees_are_dealt_by_weight_and_always_get_the_same() {
        let program = ProgramId::derive(&["p"]);
        let variants = variants(&[("a", 75), ("b", 25)]);
        let dealt = |number: u32| {
            let referee = ExternalId::parse(&format!("user-{number}")).unwrap();
            let first = variant_of(&program, &referee, &variants).unwrap();
            assert_eq!(Some(&first), variant_of(&program, &referee, &variants).as_ref());
            first
        };
        let of_b = (0..10_000).filter(|number| dealt(*number).as_str() == "b").count();
        assert!((2_300..2_700).contains(&of_b), "{of_b}");
    }

    #[test]
    fn without_variants_there_is_none() {
        let referee = ExternalId::parse("user").unwrap();
        assert_eq!(variant_of(&ProgramId::derive(&["p"]), &referee, &[]), None);
    }
}
