use super::*;

const DISCOUNT: Scope = Scope::Reward(RewardKind::Discount);

fn variables(name: &str) -> Variables {
    DISCOUNT
        .variables()
        .map(|known| {
            (known, if known == "participant_name" { name.to_owned() } else { known.to_uppercase() })
        })
        .collect()
}

#[test]
fn variables_are_put_in() {
    let text = "Hello {{ participant_name }}, your code is {{account_referral_code}}.";
    let rendered = render(text, Form::Plain, &variables("Anna")).unwrap();
    assert_eq!(rendered, "Hello Anna, your code is ACCOUNT_REFERRAL_CODE.");
}

#[test]
fn html_is_escaped_and_plain_text_is_not() {
    let name = "<b>\"A\" & 'B'</b>";
    let text = "<p>{{ participant_name }}</p>";
    assert_eq!(render(text, Form::Plain, &variables(name)).unwrap(), format!("<p>{name}</p>"));
    let rendered = render(text, Form::Html, &variables(name)).unwrap();
    assert!(!rendered.contains("<b>") && rendered.contains("&lt;b&gt;"), "{rendered}");
    assert!(!rendered.contains('\'') && !rendered.trim_matches('"').contains('"'), "{rendered}");
}

#[test]
fn what_is_put_in_is_never_read_as_a_template() {
    let rendered = render("{{ participant_name }}", Form::Plain, &variables("{{ discount_code }}")).unwrap();
    assert_eq!(rendered, "{{ discount_code }}");
}

#[test]
fn a_condition_can_be_said() {
    let text = "{% if discount_code %}Use {{ discount_code }}{% else %}Thanks{% endif %}";
    check(text, Form::Plain, DISCOUNT).unwrap();
    assert_eq!(render(text, Form::Plain, &variables("Anna")).unwrap(), "Use DISCOUNT_CODE");
    let without = Variables::from([("discount_code", String::new())]);
    assert_eq!(render(text, Form::Plain, &without).unwrap(), "Thanks");
}

#[test]
fn what_there_is_not_is_found_when_it_is_written() {
    let cases = [
        ("{{ participant_nam }}", "participant_nam"),
        ("{% if birthday %}{% endif %}", "birthday"),
        ("{{ unsubscribe_url }}", "unsubscribe_url"),
        ("{{ participant_name", "cannot be used"),
        ("{% for x in participant_name %}", "cannot be used"),
        ("{{ participant_name | upper }}", "cannot be used"),
        ("{{ participant_name.upper() }}", "cannot be used"),
        ("{{ range(9) }}", "range"),
        ("{% include 'x' %}", "cannot be used"),
        ("{% macro x() %}{% endmacro %}", "cannot be used"),
    ];
    for (text, expected) in cases {
        let error = check(text, Form::Plain, DISCOUNT).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    check("{{ unsubscribe_url }}", Form::Plain, Scope::Campaign).unwrap();
    check("{{ reward_amount }}", Form::Plain, Scope::Campaign).unwrap_err();
    check("{{ discount_code }}", Form::Plain, Scope::Reward(RewardKind::Cash)).unwrap_err();
    check("{{ reward_amount }}", Form::Plain, Scope::Reward(RewardKind::Cash)).unwrap();
    check("{{ reward_amount }}", Form::Plain, Scope::Reward(RewardKind::Message)).unwrap_err();
}

#[test]
fn no_text_takes_long_or_grows_without_end() {
    let deep = "{% if 1 %}".repeat(1_000) + &"{% endif %}".repeat(1_000);
    check(&deep, Form::Plain, DISCOUNT).unwrap_err();
    let long = "x".repeat(RENDERED_BYTES_MAX - 6) + "{{ participant_name }}";
    check(&long, Form::Plain, DISCOUNT).unwrap();
    let error = render(&long, Form::Plain, &variables("1234567")).unwrap_err().to_string();
    assert!(error.contains("16384 bytes"), "{error}");
    let loops = "{% for a in [1,2,3,4,5,6,7,8,9] %}{% for b in [1,2,3,4,5,6,7,8,9] %}".repeat(3)
        + "{% for c in [1,2,3,4,5,6,7,8,9] %}x{% endfor %}"
        + &"{% endfor %}{% endfor %}".repeat(3);
    let error = check(&loops, Form::Plain, DISCOUNT).unwrap_err().to_string();
    assert!(error.contains("fuel"), "{error}");
}
