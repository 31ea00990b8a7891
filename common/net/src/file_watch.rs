//! Tells that a file was written or replaced, by whomever (`inotify(7)`).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use tokio::io::unix::AsyncFd;

/// An event and the longest name (`inotify(7)`), several times.
const BUFFER: usize = 4096;

/// Watches one name in a folder: also a file that takes another's place under that name is seen, which a watch of the file itself is not.
/// What is written through a link of that name into another folder, or to a file that is mounted there, is not.
pub struct FileWatch {
    inotify: AsyncFd<OwnedFd>,
    name: Box<[u8]>,
}

impl FileWatch {
    /// Watches `path`, which need not exist in its folder yet. Needs a tokio runtime.
    ///
    /// # Errors
    /// There is no such folder, `path` names no file in one, or the user's limit on watches is reached.
    pub fn new(path: &Path) -> io::Result<Self> {
        let (folder, name) = path.parent().zip(path.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let events = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::CREATE | WatchFlags::DELETE;
        inotify::add_watch(&inotify, folder, events | WatchFlags::ONLYDIR)?;
        // SAFETY: an `OwnedFd` names one descriptor from its making to its end, closes it when it is dropped, and is dropped by none but
        // this `AsyncFd`.
        let inotify = unsafe { AsyncFd::register(inotify) }?;
        Ok(Self { inotify, name: name.as_encoded_bytes().into() })
    }

    /// Returns when the file was written, replaced, made or removed since the last call; several changes come as one. Safe to cancel.
    ///
    /// # Errors
    /// The folder is gone.
    pub async fn changed(&self) -> io::Result<()> {
        loop {
            let mut ready = self.inotify.readable().await?;
            match ready.try_io(|inotify| self.read(inotify.get_ref())) {
                Ok(Ok(false)) | Err(_) => {}
                Ok(Ok(true)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    /// Reads what there is to its end; gives whether some of it is of this file.
    fn read(&self, inotify: &OwnedFd) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut events = Reader::new(inotify, &mut buffer);
        let mut is_of_file = false;
        loop {
            match events.next() {
                Ok(event) if event.events().contains(ReadFlags::IGNORED) => return Err(io::ErrorKind::NotFound.into()),
                // Of what was lost some may have been of it.
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => is_of_file = true,
                Ok(event) => is_of_file |= event.file_name().is_some_and(|name| name.to_bytes() == &*self.name),
                Err(rustix::io::Errno::WOULDBLOCK) if is_of_file => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_told(watch: &FileWatch) -> bool {
        tokio::time::timeout(Duration::from_millis(200), watch.changed()).await.is_ok_and(|changed| changed.is_ok())
    }

    #[tokio::test]
    async fn each_way_to_change_the_file_is_seen_and_another_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("file"), folder.path().join("other"));
        let watch = FileWatch::new(&file).unwrap();
        std::fs::write(&other, "1").unwrap();
        assert!(!is_told(&watch).await, "another file was written");
        std::fs::write(&file, "1").unwrap();
        assert!(is_told(&watch).await, "made");
        assert!(!is_told(&watch).await, "told twice");
        std::fs::write(&file, "2").unwrap();
        std::fs::write(&other, "2").unwrap();
        assert!(is_told(&watch).await, "written");
        std::fs::rename(&other, &file).unwrap();
        assert!(is_told(&watch).await, "replaced");
        std::os::unix::fs::symlink("elsewhere", &other).unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert!(is_told(&watch).await, "replaced by a link");
        std::fs::remove_file(&file).unwrap();
        assert!(is_told(&watch).await, "removed");
    }

    #[tokio::test]
    async fn a_folder_that_goes_away_is_an_error_and_one_that_is_not_there_is_too() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert!(FileWatch::new(&gone.join("file")).is_err());
        std::fs::create_dir(&gone).unwrap();
        let watch = FileWatch::new(&gone.join("file")).unwrap();
        std::fs::remove_dir(&gone).unwrap();
        assert!(watch.changed().await.is_err());
    }
}
