//! What a stage keeps between runs: the table, the secrets and how far its clock was advanced.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::template::Secret;

const SECRETS: &str = "secrets.json";
const CLOCK: &str = "clock.json";
const SECRET_BYTES_MAX: usize = 64;

/// A state directory that this process alone uses, or nothing at all.
#[derive(Debug)]
pub(crate) struct State {
    directory: Option<PathBuf>,
    /// The system drops the lock with the file, however the process ends.
    _lock: Option<File>,
}

impl State {
    /// Opens or makes the directory; without one, nothing is kept.
    pub(crate) fn open(directory: Option<PathBuf>) -> Result<Self> {
        let Some(directory) = directory else {
            return Ok(Self { directory: None, _lock: None });
        };
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let lock = File::create(directory.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: Some(directory), _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => bail!("{} is used by another stage", directory.display()),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The database file, if anything is kept.
    pub(crate) fn database(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join("dynamodb.sqlite"))
    }

    /// The value of each secret by logical id: kept ones as they were, missing ones generated.
    pub(crate) fn secrets(&self, secrets: &[Secret]) -> Result<BTreeMap<String, String>> {
        let mut values: BTreeMap<String, String> = self.read(SECRETS)?.unwrap_or_default();
        for secret in secrets {
            if !values.contains_key(&secret.id) {
                values.insert(secret.id.clone(), generate(secret.length)?);
            }
        }
        self.write(SECRETS, &values)?;
        Ok(values)
    }

    /// How many milliseconds the stage's clock is ahead of the system's.
    pub(crate) fn clock_offset_ms(&self) -> Result<i64> {
        Ok(self.read(CLOCK)?.unwrap_or_default())
    }

    /// Keeps the offset, so that rows of the advanced time are not in the future after a restart.
    pub(crate) fn keep_clock_offset_ms(&self, offset: i64) -> Result<()> {
        self.write(CLOCK, &offset)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        let path = directory.join(name);
        match fs::read(&path) {
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    fn write(&self, name: &str, value: &impl serde::Serialize) -> Result<()> {
        match &self.directory {
            Some(directory) => write_whole(&directory.join(name), &serde_json::to_vec(value)?),
            None => Ok(()),
        }
    }
}

/// Writes a file so that a reader sees all of it or nothing: aside, synced, then renamed. Only the owner may read it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = path.with_extension("new");
    let write = || {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Hexadecimal, so that every sign is equally likely: 48 of them are 192 random bits.
fn generate(length: usize) -> Result<String> {
    let mut text = hex::encode(aws::Entropy::system().draw::<SECRET_BYTES_MAX>()?);
    ensure!(length <= text.len(), "secrets longer than {} are not made here", text.len());
    text.truncate(length);
    Ok(text)
}
