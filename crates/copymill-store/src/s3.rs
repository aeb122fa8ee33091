//! The S3 store: a bucket, or a prefix of one, on AWS or on any server that speaks S3 and honours conditional puts.

mod client;
mod failure;
mod object;
mod put;
mod transfer;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::key::{PREFIX_BYTES_MAX, validate_key};
use crate::store::{Condition, Listed, Object, Put, Store, StoreError};
use failure::{Failing, is_missing};
pub use object::{FetchError, S3Object, Version, free_bytes};

/// Keys of one page; S3 gives no more.
const PAGE: i32 = 1000;

/// Where a bucket is and how objects are written to it. Credentials come from AWS's standard chain: environment, profile,
/// web identity, container or instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Settings {
    /// URL of a server that is not AWS's.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path instead of the host name; most other servers need it.
    pub path_style: bool,
    /// The region, in place of the environment's.
    pub region: Option<String>,
    /// File with a `[default]` profile, in the format of `~/.aws/credentials` and in place of it: a mounted secret.
    pub credentials_file: Option<PathBuf>,
    /// Key of AWS KMS that objects are encrypted with.
    pub kms_key: Option<String>,
    /// Storage class of objects, such as `STANDARD_IA`.
    pub storage_class: Option<String>,
}

/// A store in a bucket; clones share its connections.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    /// What all keys begin with: empty, or a path that ends in a slash.
    prefix: String,
    settings: S3Settings,
}

impl S3Store {
    /// Makes a store of `bucket/prefix`; nothing is asked of the server yet.
    pub async fn open(location: &str, settings: S3Settings) -> Result<Self, StoreError> {
        let (bucket, prefix) = location.split_once('/').unwrap_or((location, ""));
        let mut prefix = prefix.trim_matches('/').to_owned();
        if bucket.is_empty() || prefix.len() > PREFIX_BYTES_MAX {
            return Err(StoreError::BadKey(format!("s3://{location}")));
        }
        if !prefix.is_empty() {
            validate_key(&prefix)?;
            prefix.push('/');
        }
        Ok(Self { client: client::connect(&settings).await, bucket: bucket.to_owned(), prefix, settings })
    }

    fn object_key(&self, key: &str) -> Result<String, StoreError> {
        validate_key(key)?;
        Ok(format!("{}{key}", self.prefix))
    }

    fn failing<'a>(&self, action: &'static str, key: &'a str) -> Failing<'a> {
        Failing { action, key, place: self.describe() }
    }
}

#[async_trait]
impl Store for S3Store {
    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        let failing = self.failing("read", key);
        let Some(found) = self.get_object(key).await? else { return Ok(None) };
        let etag = found.e_tag.unwrap_or_default();
        let body = found.body.collect().await.map_err(|error| failing.because(error))?.into_bytes();
        Ok(Some(Object { body, etag }))
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Result<Put, StoreError> {
        self.put_body(key, put::Body::Memory(body), condition).await
    }

    async fn head(&self, key: &str) -> Result<Option<Listed>, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.object_key(key)?);
        match request.send().await {
            Ok(output) => Ok(Some(Listed { key: key.to_owned(), bytes: bytes(output.content_length) })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.failing("look at", key).with(error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(self.object_key(key)?);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(self.failing("delete", key).with(error)),
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        let own = &self.prefix;
        let request = self.client.list_objects_v2().bucket(&self.bucket).max_keys(PAGE);
        let request = request.prefix(format!("{own}{prefix}"));
        let request = request.set_start_after(after.map(|after| format!("{own}{after}")));
        let output = request.send().await.map_err(|error| self.failing("list", prefix).with(error))?;
        let listed = output.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let key = object.key?.strip_prefix(own.as_str())?.to_owned();
            Some(Listed { key, bytes: bytes(object.size) })
        });
        Ok(listed.collect())
    }

    async fn download(&self, key: &str, to: &Path) -> Result<Option<Listed>, StoreError> {
        self.download_to(key, to).await
    }

    async fn upload(&self, key: &str, from: &Path, condition: Condition) -> Result<Put, StoreError> {
        let body = put::Body::open(from).map_err(|error| self.failing("write", key).because(error))?;
        self.put_body(key, body, condition).await
    }

    fn describe(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }
}

fn bytes(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}
