//! Files that the command line makes: each appears whole or not at all, none replaces another.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::CliError;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// 0644.
    Public,
    /// 0600.
    Secret,
}

/// A set of new files in one folder. Dropped before [`Self::keep`], it removes what it made, so that a command that fails
/// half-way can be repeated.
pub(super) struct NewFiles {
    folder: PathBuf,
    made: Vec<PathBuf>,
    made_folder: bool,
}

impl NewFiles {
    /// Makes `folder` (mode 0700) if it is missing, and refuses to go on where one of `names` stands in it already.
    pub(super) fn new(folder: &Path, names: &[&str]) -> Result<Self, CliError> {
        for name in names {
            let path = folder.join(name);
            if path.symlink_metadata().is_ok() {
                return Err(CliError::Exists(path));
            }
        }
        let made_folder = !folder.exists();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| CliError::Write { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), made: Vec::new(), made_folder })
    }

    /// The path of a file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that must not exist.
    pub(super) fn write(&mut self, name: &str, content: &str, access: Access) -> Result<(), CliError> {
        let path = self.path(name);
        write_new(&path, content, access).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                CliError::Exists(path.clone())
            } else {
                CliError::Write { path: path.clone(), source }
            }
        })?;
        self.made.push(path);
        Ok(())
    }

    /// Counts a file that something else makes as one of the set.
    pub(super) fn adopt(&mut self, name: &str) {
        self.made.push(self.path(name));
    }

    /// Everything is done: the files stay.
    pub(super) fn keep(mut self) {
        self.made.clear();
        self.made_folder = false;
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        for path in &self.made {
            // Best effort: what cannot be removed is named by the next run's refusal.
            let _gone = std::fs::remove_file(path);
        }
        if self.made_folder {
            let _gone = std::fs::remove_dir(&self.folder);
        }
    }
}

/// A secret's octets as a line of hexadecimal digits, as `kek` and `psk` hold them.
pub(super) fn hex_line(octets: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(hex::encode(octets));
    Zeroizing::new(format!("{}\n", digits.as_str()))
}

/// Temporary file, flushed to disk, then linked under its name, which fails where the name is taken.
fn write_new(path: &Path, content: &str, access: Access) -> io::Result<()> {
    let mode = match access {
        Access::Public => 0o644,
        Access::Secret => 0o600,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    let linked = file
        .write_all(content.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&temporary, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    std::fs::remove_file(&temporary)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_set_that_is_not_kept_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let mut files = NewFiles::new(&target, &["a"]).unwrap();
        files.write("a", "text", Access::Secret).unwrap();
        assert_eq!(target.join("a").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(files);
        assert!(!target.exists());
    }

    #[test]
    fn a_file_that_exists_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "old").unwrap();
        assert!(matches!(NewFiles::new(folder.path(), &["b", "a"]), Err(CliError::Exists(_))));
        let mut files = NewFiles::new(folder.path(), &[]).unwrap();
        assert!(matches!(files.write("a", "new", Access::Public), Err(CliError::Exists(_))));
        drop(files);
        assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }
}
