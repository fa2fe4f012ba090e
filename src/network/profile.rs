//! The AWS files: what the profile in them says, and whether they have changed. In: variables and files. Out: values of the profile, and whether `ca_bundle` has
//! changed. Reads files.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    path::PathBuf,
};

use aws_config::profile::{ProfileFileLoadError, ProfileSet};

use super::{
    cause::root_cause,
    certificates::{self, BadCertificates},
};

/// Replaces the trusted authorities for AWS, unless `AWS_CA_BUNDLE` is set.
pub const BUNDLE: &str = "ca_bundle of the AWS profile";

const CONFIG: (&str, &str) = ("AWS_CONFIG_FILE", "~/.aws/config");
const CREDENTIALS: (&str, &str) = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");

/// Stands for what the AWS files hold, and for which of them are there; not a secret itself.
pub type AwsFiles = u64;

/// What the AWS files hold now.
#[must_use]
pub fn aws_files() -> AwsFiles {
    let mut hasher = DefaultHasher::new();
    for file in [CREDENTIALS, CONFIG] {
        path(file).and_then(|path| fs::read(path).ok()).hash(&mut hasher);
    }
    hasher.finish()
}

/// What the profile in the AWS files says about this. Files that cannot be read say nothing here: they give no credentials either, which is reported then.
pub async fn aws_profile(key: &str) -> Option<String> {
    value(&load().await.ok()?, key)
}

/// Which file `ca_bundle` names.
#[derive(Clone, Debug)]
pub struct ProfileBundle {
    at_start: Option<PathBuf>,
    files: AwsFiles,
    now: Result<Option<PathBuf>, UnknownBundle>,
}

/// `ca_bundle` may be set, or will be.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnknownBundle {
    /// The AWS files do not hold what they should.
    #[error("the AWS files cannot be used: {0}")]
    Broken(String),
    /// They are incomplete.
    #[error("the file with AWS settings (AWS_CONFIG_FILE) cannot be read or is empty, or has no profile {0}")]
    Missing(String),
}

/// `ca_bundle` has perhaps changed, and a process that starts now could not follow it.
#[derive(Debug, thiserror::Error)]
pub enum BadBundle {
    /// It is not known.
    #[error(transparent)]
    Unknown(#[from] UnknownBundle),
    /// What it names cannot be used.
    #[error(transparent)]
    Certificates(#[from] BadCertificates),
}

impl ProfileBundle {
    /// Reads the AWS files.
    pub async fn read() -> Self {
        let (files, now) = (aws_files(), named().await);
        Self { at_start: now.clone().unwrap_or_default(), files, now }
    }

    /// What it named at the start.
    #[must_use]
    pub fn at_start(&self) -> Option<PathBuf> {
        self.at_start.clone()
    }

    /// Whether it names another file than at the start.
    ///
    /// # Errors
    /// It cannot be used now.
    pub async fn has_changed(&mut self) -> Result<bool, BadBundle> {
        let files = aws_files();
        // The SDK logs each time that it does not find a file.
        if files != self.files {
            (self.files, self.now) = (files, named().await);
        }
        match (&self.now, &self.at_start) {
            // Such files give no credentials either, which is reported then.
            (Err(_), None) => Ok(false),
            (Err(error), Some(_)) => Err(error.clone().into()),
            (Ok(now), at_start) if now == at_start => Ok(false),
            (Ok(None), _) => Ok(true),
            (Ok(Some(path)), _) => Ok(certificates::bundle(BUNDLE, path.clone()).map(|_| true)?),
        }
    }
}

async fn named() -> Result<Option<PathBuf>, UnknownBundle> {
    let files = load().await.map_err(|error| UnknownBundle::Broken(root_cause(&error)))?;
    let bundle = value(&files, "ca_bundle");
    let profile = files.selected_profile();
    let config = path(CONFIG).and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    if bundle.is_none() && (files.get_profile(profile).is_none() || config.trim().is_empty()) {
        return Err(UnknownBundle::Missing(profile.to_owned()));
    }
    Ok(bundle.map(PathBuf::from))
}

fn value(files: &ProfileSet, key: &str) -> Option<String> {
    files.get(key).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
}

#[expect(clippy::default_trait_access, reason = "these types are those of a crate that is no dependency")]
async fn load() -> Result<ProfileSet, ProfileFileLoadError> {
    aws_config::profile::load(&Default::default(), &Default::default(), &Default::default(), None).await
}

/// Where a file is: as the SDK reads the variable.
fn path((variable, usual): (&str, &str)) -> Option<PathBuf> {
    let path = env::var_os(variable).map_or_else(|| usual.into(), PathBuf::from);
    match path.strip_prefix("~") {
        Ok(rest) => Some(PathBuf::from(env::var_os("HOME")?).join(rest)),
        Err(_) => Some(path),
    }
}
