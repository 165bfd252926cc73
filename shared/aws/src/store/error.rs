//! What can go wrong between the store and `DynamoDB`, classified once.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;

use super::item::Item;
use crate::handler::in_short;

/// A call that did not do what was asked. A condition that does not hold is an outcome, not an error; see
/// [`Transaction`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Other writers kept winning; try again later.
    #[error("the row is contended; {attempts} attempts lost the race")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// The table answered that it is asked too much.
    #[error("the table is throttled: {detail}")]
    Throttled {
        /// What the table said.
        detail: String,
    },
    /// No usable answer: network, permissions, an error of the service or of the request.
    #[error("the table is not available: {detail}")]
    Unavailable {
        /// What was said.
        detail: String,
    },
    /// A row that cannot be read, or a value that cannot be written.
    #[error("a row cannot be read or written: {detail}")]
    Corrupt {
        /// Which, and why.
        detail: String,
    },
}

impl StoreError {
    /// A row that does not read.
    pub(crate) fn corrupt(detail: impl std::fmt::Display) -> Self {
        Self::Corrupt { detail: detail.to_string() }
    }
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Transaction {
    /// Everything was written.
    Committed,
    /// Nothing was written: the conditions at these positions do not hold, or another transaction was in the way.
    /// `rows` are the rows as they were found, where a condition failed and a row was there.
    Refused {
        /// By position in the transaction.
        rows: Vec<Option<Item>>,
    },
}

/// Classifies an error of a single call.
pub(crate) fn classify<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: std::error::Error + ProvideErrorMetadata,
{
    let code = error.code().unwrap_or_default().to_owned();
    let detail = in_short(&error);
    match code.as_str() {
        "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded" => {
            StoreError::Throttled { detail }
        }
        _ => StoreError::Unavailable { detail },
    }
}

/// Reads each cancellation reason of a transaction: the SDK retries none of them.
pub(crate) fn classify_transaction(
    error: SdkError<TransactWriteItemsError>,
) -> Result<Transaction, StoreError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        let conflict =
            matches!(error.code(), Some("TransactionInProgressException" | "TransactionConflictException"));
        return if conflict { Ok(Transaction::Refused { rows: Vec::new() }) } else { Err(classify(error)) };
    };
    let reasons = cancelled.cancellation_reasons();
    let code =
        |wanted: &[&str]| reasons.iter().any(|reason| wanted.contains(&reason.code().unwrap_or_default()));
    if code(&["ValidationError", "ItemCollectionSizeLimitExceeded"]) {
        let detail = reasons.iter().filter_map(|reason| reason.message()).collect::<Vec<_>>().join("; ");
        return Err(StoreError::Corrupt { detail });
    }
    if code(&["ConditionalCheckFailed", "TransactionConflict"]) {
        return Ok(Transaction::Refused {
            rows: reasons.iter().map(|reason| reason.item().cloned()).collect(),
        });
    }
    let detail = format!("transaction cancelled: {reasons:?}");
    Err(StoreError::Throttled { detail })
}
