//! Objects that are too large for memory: from the bucket into a file, piece by piece.

use std::path::Path;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use tokio::{fs::File, io::AsyncWriteExt};

use super::{S3Store, failure::is_missing};
use crate::store::{Listed, StoreError};

impl S3Store {
    pub(super) async fn get_object(&self, key: &str) -> Result<Option<GetObjectOutput>, StoreError> {
        let request = self.client.get_object().bucket(&self.bucket).key(self.object_key(key)?);
        match request.send().await {
            Ok(output) => Ok(Some(output)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.failing("read", key).with(error)),
        }
    }

    pub(super) async fn download_to(&self, key: &str, to: &Path) -> Result<Option<Listed>, StoreError> {
        let failing = self.failing("read", key);
        let Some(found) = self.get_object(key).await? else { return Ok(None) };
        let mut body = found.body;
        let mut file = File::create(to).await.map_err(|error| failing.because(error))?;
        let mut bytes = 0;
        while let Some(piece) = body.try_next().await.map_err(|error| failing.because(error))? {
            bytes += piece.len() as u64;
            file.write_all(&piece).await.map_err(|error| failing.because(error))?;
        }
        file.flush().await.map_err(|error| failing.because(error))?;
        Ok(Some(Listed { key: key.to_owned(), bytes }))
    }
}
