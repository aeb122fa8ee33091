//! An S3 server on buckets that others wrote (`s3s-fs`): every object a file, its checksum beside it.

use std::net::SocketAddr;
use std::path::PathBuf;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::faults::Faults;
use super::listen;

/// A server that runs until it is dropped.
pub struct S3Files {
    address: SocketAddr,
    folder: TempDir,
    serving: JoinHandle<()>,
}

impl S3Files {
    /// Starts a server with a bucket of this name.
    pub async fn start(bucket: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(bucket))?;
        let files = FileSystem::new(folder.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let (address, serving) = listen(0, OneAtATime(files, Mutex::default()), Faults::default()).await?;
        Ok(Self { address, folder, serving })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The file of an object, named by `bucket/key`.
    pub fn file(&self, object: &str) -> PathBuf {
        self.folder.path().join(object)
    }
}

impl Drop for S3Files {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `s3s-fs` looks whether a condition holds and writes then: one call after the other makes that one step.
struct OneAtATime(FileSystem, Mutex<()>);

macro_rules! one_at_a_time {
    ($($call:ident($input:ident) -> $output:ident;)+) => {
        #[async_trait::async_trait]
        impl S3 for OneAtATime {
            $(
                async fn $call(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    let _turn = self.1.lock().await;
                    self.0.$call(request).await
                }
            )+
        }
    };
}

one_at_a_time! {
    put_object(PutObjectInput) -> PutObjectOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}
