//! Buckets in memory, with conditions that are atomic: one lock orders every change.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use copymill_campaign::sha256_hex;
use futures::{StreamExt, stream};
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::folder::Folder;

/// Every bucket exists. Keys are `bucket/key`.
#[derive(Default, Clone)]
pub(super) struct Buckets(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    uploads: HashMap<String, Upload>,
    uploads_begun: u64,
    /// Where objects are kept for the next server, if anywhere.
    folder: Option<Folder>,
    ignores_if_match: bool,
}

#[derive(Clone)]
struct Stored {
    body: Bytes,
    etag: ETag,
    metadata: Option<Metadata>,
    changed: std::time::SystemTime,
}

struct Upload {
    metadata: Option<Metadata>,
    parts: BTreeMap<i32, Bytes>,
}

impl Stored {
    fn new(body: Bytes, metadata: Option<Metadata>) -> Self {
        let etag = ETag::Strong(sha256_hex(&body));
        Self { body, etag, metadata, changed: std::time::SystemTime::now() }
    }
}

impl Buckets {
    /// Buckets with the objects of a folder, which keeps every change.
    pub(super) fn kept_in(folder: &Path) -> std::io::Result<Self> {
        let folder = Folder::open(folder)?;
        let stored = |(key, body): (String, Vec<u8>)| (key, Stored::new(body.into(), None));
        let objects = folder.objects()?.into_iter().map(stored).collect();
        let state = State { objects, folder: Some(folder), ..State::default() };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// The first object whose key holds a text.
    pub(super) fn find(&self, key_part: &str) -> Option<(String, Bytes)> {
        let state = self.state();
        let mut objects = state.objects.iter();
        objects
            .find(|(key, _)| key.contains(key_part))
            .map(|(key, stored)| (key.clone(), stored.body.clone()))
    }

    /// Replaces an object behind everybody's back.
    pub(super) fn replace(&self, key: String, body: Bytes) {
        self.state().objects.insert(key, Stored::new(body, None));
    }

    /// Ignores `If-Match` from now on.
    pub(super) fn ignore_if_match(&self) {
        self.state().ignores_if_match = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes an object where the conditions hold.
    fn put(
        &mut self,
        key: String,
        body: Bytes,
        metadata: Option<Metadata>,
        (if_match, if_none_match): (Option<ETagCondition>, Option<ETagCondition>),
    ) -> S3Result<ETag> {
        let current = self.objects.get(&key).map(|stored| &stored.etag);
        if if_none_match.is_some() && current.is_some() {
            return Err(s3_error!(PreconditionFailed));
        }
        match (if_match, current) {
            _ if self.ignores_if_match => {}
            (Some(ETagCondition::ETag(expected)), Some(current)) if expected != *current => {
                return Err(s3_error!(PreconditionFailed));
            }
            (Some(_), None) => return Err(s3_error!(NoSuchKey)),
            _ => {}
        }
        if let Some(folder) = &self.folder {
            folder.write(&key, &body).map_err(|error| s3_error!(error, InternalError))?;
        }
        let stored = Stored::new(body, metadata);
        let etag = stored.etag.clone();
        self.objects.insert(key, stored);
        Ok(etag)
    }
}

#[async_trait::async_trait]
impl S3 for Buckets {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        let body = collect(input.body).await?;
        let key = format!("{}/{}", input.bucket, input.key);
        let conditions = (input.if_match, input.if_none_match);
        let etag = self.state().put(key, body, input.metadata, conditions)?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(etag), ..Default::default() }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let key = format!("{}/{}", req.input.bucket, req.input.key);
        let found = self.state().objects.get(&key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(found.body.len() as i64),
            body: Some(StreamingBlob::wrap(stream::iter([Ok::<_, std::io::Error>(found.body)]))),
            e_tag: Some(found.etag),
            metadata: found.metadata,
            ..Default::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let key = format!("{}/{}", req.input.bucket, req.input.key);
        let found = self.state().objects.get(&key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(found.body.len() as i64),
            e_tag: Some(found.etag),
            metadata: found.metadata,
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let key = format!("{}/{}", req.input.bucket, req.input.key);
        let mut state = self.state();
        if let Some(folder) = &state.folder {
            folder.remove(&key).map_err(|error| s3_error!(error, InternalError))?;
        }
        state.objects.remove(&key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let bucket = format!("{}/", input.bucket);
        let prefix = format!("{bucket}{}", input.prefix.as_deref().unwrap_or_default());
        let after = input.continuation_token.or(input.start_after).map(|after| format!("{bucket}{after}"));
        let page = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap_or(1000).min(1000);
        let from = after.clone().unwrap_or_default().max(prefix.clone());
        let state = self.state();
        let mut found = state
            .objects
            .range(from..)
            .filter(|(key, _)| after.as_ref() != Some(key))
            .take_while(|(key, _)| key.starts_with(&prefix));
        let contents: Vec<Object> = found
            .by_ref()
            .take(page)
            .map(|(key, stored)| Object {
                key: Some(key[bucket.len()..].to_owned()),
                size: Some(stored.body.len() as i64),
                e_tag: Some(stored.etag.clone()),
                last_modified: Some(stored.changed.into()),
                ..Default::default()
            })
            .collect();
        let more = found.next().is_some();
        let last = contents.last().and_then(|object| object.key.clone());
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: Some(contents.len() as i32),
            next_continuation_token: last.filter(|_| more),
            is_truncated: Some(more),
            contents: Some(contents),
            name: Some(input.bucket),
            max_keys: Some(page as i32),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut state = self.state();
        state.uploads_begun += 1;
        let id = format!("upload-{}", state.uploads_begun);
        let upload = Upload { metadata: req.input.metadata, parts: BTreeMap::new() };
        state.uploads.insert(id.clone(), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput { upload_id: Some(id), ..Default::default() }))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let body = collect(req.input.body).await?;
        let etag = ETag::Strong(sha256_hex(&body));
        let mut state = self.state();
        let upload = state.uploads.get_mut(&req.input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.parts.insert(req.input.part_number, body);
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(etag), ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let named = input.multipart_upload.and_then(|upload| upload.parts);
        let named = named.unwrap_or_default();
        let mut state = self.state();
        let upload = state.uploads.get(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let sent = upload.parts.iter().map(|(number, part)| (*number, sha256_hex(part)));
        let matches = sent.eq(named.iter().map(|part| {
            let etag = part.e_tag.as_ref().map(|etag| etag.value().to_owned());
            (part.part_number.unwrap_or_default(), etag.unwrap_or_default())
        }));
        if !matches {
            return Err(s3_error!(InvalidPart));
        }
        let body = upload.parts.values().flat_map(|part| part.iter().copied()).collect();
        let metadata = upload.metadata.clone();
        let key = format!("{}/{}", input.bucket, input.key);
        let etag = state.put(key, body, metadata, (input.if_match, input.if_none_match))?;
        state.uploads.remove(&input.upload_id);
        let output = CompleteMultipartUploadOutput { e_tag: Some(etag), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.state().uploads.remove(&req.input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(mut body) = body else { return Ok(Bytes::new()) };
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.map_err(|_| s3_error!(IncompleteBody))?);
    }
    Ok(bytes.into())
}
