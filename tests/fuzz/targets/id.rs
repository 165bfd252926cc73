//! Ids.

use std::fmt::{Debug, Display};

use domain::id::{
    Channel, EventName, ExternalId, IdError, Label, OrganizationId, ParticipantId, PartnerInvoiceId,
    Processor, ProcessorRef, RewardId, RuleId, SourceId, StripeCustomerId, VisitorId,
};
use domain::stripe::api_key::livemode_of;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    verbatim(text, ExternalId::parse(text));
    verbatim(text, ProcessorRef::parse(text));
    verbatim(text, VisitorId::parse(text));
    verbatim(text, Processor::parse(text));
    verbatim(text, StripeCustomerId::parse(text));
    // A key goes into a header as it is, and says its mode.
    if let Some(livemode) = livemode_of(text) {
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{text:?}");
        assert_eq!(
            text.contains("_live_") && !text.starts_with("sk_test_") && !text.starts_with("rk_test_"),
            livemode
        );
    }
    verbatim(text, RuleId::parse(text));
    verbatim(text, Channel::parse(text));
    verbatim(text, Label::parse(text));
    verbatim(text, EventName::parse(text));
    verbatim(text, OrganizationId::parse(text));
    verbatim(text, ParticipantId::parse(text));
    verbatim(text, RewardId::parse(text));
    verbatim(text, PartnerInvoiceId::parse(text));
    if let Ok(id) = RewardId::parse(text) {
        let (time, tail) = id.place();
        assert_eq!(format!("rwd_{}{time}{tail}", &id.participant().as_str()[4..]), text);
    }
    if let Ok(id) = PartnerInvoiceId::parse(text) {
        let (time, tail) = id.place();
        assert_eq!(format!("pin_{}{time}{tail}", &id.participant().as_str()[4..]), text);
    }
    if let Ok(source) = SourceId::parse(text) {
        let written = source.to_string();
        no_forgery(&written.replacen('/', "", 2));
        // In a path it stands with colons.
        assert_eq!(SourceId::parse(&written.replacen('/', ":", 2)).as_ref(), Ok(&source));
        verbatim(&written, Ok(source));
    }
}

/// An accepted id is kept as it was written, and reads back.
fn verbatim<T>(text: &str, parsed: Result<T, IdError>)
where
    T: Display + Debug + PartialEq + Serialize + DeserializeOwned + TryFrom<String, Error = IdError>,
{
    let Ok(id) = parsed else { return };
    assert_eq!(id.to_string(), text);
    assert_eq!(T::try_from(text.to_owned()).as_ref(), Ok(&id));
    let json = serde_json::to_string(&id).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), id);
    if !text.contains('/') {
        no_forgery(text);
    }
}

/// Nothing that parts keys or paths, nothing that needs escapes, and no e-mail address.
fn no_forgery(text: &str) {
    assert!(!text.is_empty() && text.len() <= 256);
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:|-".contains(&byte)), "{text:?}");
}
