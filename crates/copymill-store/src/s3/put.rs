//! Conditional puts, whole or in parts.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption, StorageClass};
use bytes::Bytes;

use super::{S3Store, client::sending, failure::status};
use crate::store::{Condition, Put, StoreError};

/// Bytes from which an object is sent in parts, and bytes of a part, except where an object would have too many.
const PART: u64 = 16 << 20;
/// Parts of one object; S3 takes no more.
const PARTS: u64 = 10_000;
/// Metadata that says which call wrote an object.
const WRITTEN_BY: &str = "copymill-put";
/// Tries where S3 answers that a conditional put collided with another (409), which is no refusal.
const COLLISIONS: u32 = 8;
const AFTER_COLLISION: Duration = Duration::from_millis(50);

/// What is written.
#[derive(Clone)]
pub(super) enum Body {
    Memory(Bytes),
    File(Arc<File>, u64),
}

impl Body {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self::File(Arc::new(file), bytes))
    }

    fn len(&self) -> u64 {
        match self {
            Self::Memory(body) => body.len() as u64,
            Self::File(_, bytes) => *bytes,
        }
    }

    /// A piece, in memory.
    async fn piece(&self, from: u64, to: u64) -> std::io::Result<Bytes> {
        match self.clone() {
            Self::Memory(body) => Ok(body.slice(from as usize..to as usize)),
            Self::File(file, _) => {
                let read = move || {
                    let mut piece = vec![0; (to - from) as usize];
                    file.read_exact_at(&mut piece, from).map(|()| piece.into())
                };
                tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
            }
        }
    }
}

/// One conditional put: what all of its tries share.
struct Writing<'a> {
    store: &'a S3Store,
    key: &'a str,
    object_key: String,
    body: Body,
    condition: Condition,
    /// Says afterwards which put an object is from.
    id: String,
}

/// How one try ended.
enum Sent {
    Stored(String),
    Refused,
    Collided,
    UploadGone,
}

/// Whose object has the key.
enum There {
    Own(String),
    Other,
    Nothing,
}

impl S3Store {
    pub(super) async fn put_body(
        &self,
        key: &str,
        body: Body,
        condition: Condition,
    ) -> Result<Put, StoreError> {
        let (object_key, id) = (self.object_key(key)?, ulid::Ulid::generate().to_string());
        let writing = Writing { store: self, key, object_key, body, condition, id };
        for collision in 1..=COLLISIONS {
            match writing.send().await? {
                Sent::Stored(etag) => return Ok(Put::Stored(etag)),
                Sent::Refused => return writing.after_refusal().await,
                Sent::UploadGone => return writing.after_lost_upload().await,
                Sent::Collided => tokio::time::sleep(AFTER_COLLISION * collision).await,
            }
        }
        Err(self.failing("write", key).because("other writers kept colliding with this one"))
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.settings.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.settings.storage_class.as_deref().map(StorageClass::from)
    }
}

impl Writing<'_> {
    async fn send(&self) -> Result<Sent, StoreError> {
        if self.body.len() > PART { self.send_parts().await } else { self.send_whole().await }
    }

    fn error(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        self.store.failing("write", self.key).because(source)
    }

    async fn send_whole(&self) -> Result<Sent, StoreError> {
        let store = self.store;
        let (if_none_match, if_match) = headers(&self.condition);
        let body = self.body.piece(0, self.body.len()).await.map_err(|error| self.error(error))?;
        let request = store.client.put_object().bucket(&store.bucket).key(&self.object_key);
        let request = request
            .metadata(WRITTEN_BY, &self.id)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .set_storage_class(store.storage_class())
            .set_server_side_encryption(store.encryption())
            .set_ssekms_key_id(store.settings.kms_key.clone())
            .body(ByteStream::from(body));
        let request = request.customize().config_override(sending(self.body.len()));
        self.sent(request.send().await.map(|output| output.e_tag))
    }

    async fn send_parts(&self) -> Result<Sent, StoreError> {
        let (store, failing) = (self.store, self.store.failing("write", self.key));
        let create = store.client.create_multipart_upload().bucket(&store.bucket).key(&self.object_key);
        let create = create
            .metadata(WRITTEN_BY, &self.id)
            .set_storage_class(store.storage_class())
            .set_server_side_encryption(store.encryption())
            .set_ssekms_key_id(store.settings.kms_key.clone());
        let created = create.send().await.map_err(|error| failing.with(error))?;
        let upload = created.upload_id.unwrap_or_default();
        let ended = self.fill_upload(&upload).await;
        if !matches!(ended, Ok(Sent::Stored(_))) {
            // Parts that stay behind cost money; a failure to remove them changes nothing about the put.
            let abort = store.client.abort_multipart_upload().bucket(&store.bucket).key(&self.object_key);
            drop(abort.upload_id(&upload).send().await);
        }
        ended
    }

    async fn fill_upload(&self, upload: &str) -> Result<Sent, StoreError> {
        let (store, failing) = (self.store, self.store.failing("write", self.key));
        let bytes = self.body.len();
        let part = PART.max(bytes.div_ceil(PARTS));
        let mut parts = Vec::new();
        for (number, start) in (1..).zip((0..bytes).step_by(part as usize)) {
            let piece = self.body.piece(start, bytes.min(start + part)).await;
            let piece = piece.map_err(|error| self.error(error))?;
            let request = store.client.upload_part().bucket(&store.bucket).key(&self.object_key);
            let request = request.upload_id(upload).part_number(number).body(ByteStream::from(piece));
            let request = request.customize().config_override(sending(bytes.min(start + part) - start));
            let sent = request.send().await.map_err(|error| failing.with(error))?;
            // A server that was sent a checksum wants it again when the parts are put together.
            let done = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
            parts.push(done.set_checksum_crc32(sent.checksum_crc32).build());
        }
        let (if_none_match, if_match) = headers(&self.condition);
        let complete = store.client.complete_multipart_upload().bucket(&store.bucket).key(&self.object_key);
        let complete = complete
            .upload_id(upload)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        let complete = complete.customize().config_override(sending(bytes));
        self.sent(complete.send().await.map(|output| output.e_tag))
    }

    /// Reads an answer. An object that is gone does not match either.
    fn sent<E>(&self, answer: Result<Option<String>, SdkError<E, HttpResponse>>) -> Result<Sent, StoreError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let error = match answer {
            Ok(etag) => return Ok(Sent::Stored(etag.unwrap_or_default())),
            Err(error) => error,
        };
        match (status(&error), &self.condition) {
            (Some(412), Condition::IfAbsent | Condition::IfMatch(_)) => Ok(Sent::Refused),
            (Some(404), _) if error.code() == Some("NoSuchUpload") => Ok(Sent::UploadGone),
            (Some(404), Condition::IfMatch(_)) if error.code() != Some("NoSuchBucket") => Ok(Sent::Refused),
            (Some(409), _) => Ok(Sent::Collided),
            _ => Err(self.store.failing("write", self.key).with(error)),
        }
    }

    /// A put that was sent twice, because its first answer was lost, is refused over its own object: look whose it is.
    async fn after_refusal(&self) -> Result<Put, StoreError> {
        Ok(match self.look().await? {
            There::Own(etag) => Put::Stored(etag),
            There::Other | There::Nothing => Put::Refused,
        })
    }

    /// Parts that are gone were put together by a try whose answer was lost, or somebody removed them.
    async fn after_lost_upload(&self) -> Result<Put, StoreError> {
        match (self.look().await?, &self.condition) {
            (There::Own(etag), _) => Ok(Put::Stored(etag)),
            (There::Other, Condition::IfAbsent | Condition::IfMatch(_)) => Ok(Put::Refused),
            _ => Err(self.error("its parts were removed before they were put together")),
        }
    }

    async fn look(&self) -> Result<There, StoreError> {
        let store = self.store;
        let head = store.client.head_object().bucket(&store.bucket).key(&self.object_key).send().await;
        match head {
            Ok(output) if output.metadata().and_then(|meta| meta.get(WRITTEN_BY)) == Some(&self.id) => {
                Ok(There::Own(output.e_tag.unwrap_or_default()))
            }
            Ok(_) => Ok(There::Other),
            Err(error) if status(&error) == Some(404) => Ok(There::Nothing),
            Err(error) => Err(store.failing("look at", self.key).with(error)),
        }
    }
}

fn headers(condition: &Condition) -> (Option<String>, Option<String>) {
    match condition {
        Condition::Always => (None, None),
        Condition::IfAbsent => (Some("*".into()), None),
        Condition::IfMatch(etag) => (None, Some(etag.clone())),
    }
}
