//! One walk through a folder and all below it, for everything that reads folders whole.
//!
//! In: an open [`Folder`], how much of it may be met, and a [`Walker`] that says what each name is to
//! it. Out: whatever the walker keeps, met in the order of the names' bytes. The walk goes into
//! folders and bounds itself; it reads no file, skips nothing, and tells the walker what is in its way.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::{Bytes, Entries, Folder, Kind};

/// How much a walk may still meet.
pub(in crate::source) struct Room {
    /// Names, in all folders together.
    pub(in crate::source) names: usize,
    /// Folders within folders; each holds one handle open.
    pub(in crate::source) depth: usize,
}

/// One name that a walk came to.
pub(in crate::source) struct Met<'a> {
    folder: &'a Folder,
    name: &'a OsStr,
    below: &'a Path,
    /// What it stands for.
    pub(in crate::source) kind: Kind,
}

impl<'a> Met<'a> {
    /// Its name in its folder.
    pub(in crate::source) fn name(&self) -> &'a OsStr {
        self.name
    }

    /// Its path, as the user would write it.
    pub(in crate::source) fn path(&self) -> PathBuf {
        self.folder.path(self.name)
    }

    /// Its path below the folder that the walk began in, if it is text.
    pub(in crate::source) fn below(&self) -> Option<&'a str> {
        self.below.to_str()
    }

    /// Reads it, within a limit.
    ///
    /// # Errors
    /// The system's own, and for what is no file.
    pub(in crate::source) fn read(&self, limit: u64) -> io::Result<Bytes> {
        self.folder.read(self.name, limit)
    }
}

/// What a walk can't pass.
pub(in crate::source) enum Obstacle {
    /// A folder that can't be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// More names than there is room for.
    Names,
    /// A folder deeper than there is room for.
    Depth,
}

/// Who a walk is for.
pub(in crate::source) trait Walker {
    /// Why a walk ends before its end.
    type End;

    /// Comes into a folder, before any name in it.
    fn enter(&mut self, _folder: &Folder, _entries: &[(OsString, Kind)]) {}

    /// Comes to a name; into a folder the walk goes afterwards.
    ///
    /// # Errors
    /// Whatever ends the walk.
    fn meet(&mut self, met: &Met<'_>) -> Result<(), Self::End>;

    /// Comes to what it can't pass; without an error it goes around.
    ///
    /// # Errors
    /// Whatever ends the walk.
    fn obstructed(&mut self, by: Obstacle) -> Result<(), Self::End>;
}

impl Folder {
    /// Walks through this folder and all below it.
    ///
    /// # Errors
    /// Whatever the walker ends it with.
    pub(in crate::source) fn walk<W: Walker>(&self, room: &mut Room, walker: &mut W) -> Result<(), W::End> {
        self.walk_from(Path::new(""), room, walker)
    }

    fn walk_from<W: Walker>(&self, below: &Path, room: &mut Room, walker: &mut W) -> Result<(), W::End> {
        let entries = match self.entries(room.names) {
            Ok(Entries::All(entries)) => entries,
            Ok(Entries::TooMany) => return walker.obstructed(Obstacle::Names),
            Err(source) => {
                return walker.obstructed(Obstacle::Unreadable { path: self.path.clone(), source });
            }
        };
        room.names -= entries.len();
        walker.enter(self, &entries);
        for (name, kind) in &entries {
            let below = below.join(name);
            walker.meet(&Met { folder: self, name, below: &below, kind: *kind })?;
            if *kind == Kind::Folder {
                self.walk_into(name, &below, room, walker)?;
            }
        }
        Ok(())
    }

    fn walk_into<W: Walker>(
        &self,
        name: &OsStr,
        below: &Path,
        room: &mut Room,
        walker: &mut W,
    ) -> Result<(), W::End> {
        let Some(depth) = room.depth.checked_sub(1) else {
            return walker.obstructed(Obstacle::Depth);
        };
        match self.folder(name) {
            Ok(inner) => {
                room.depth = depth;
                let walked = inner.walk_from(below, room, walker);
                room.depth += 1;
                walked
            }
            Err(source) => walker.obstructed(Obstacle::Unreadable { path: self.path(name), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::source::sample;

    /// Writes down what it comes to, and ends at a name.
    #[derive(Default)]
    struct Diary {
        lines: Vec<String>,
        ends_at: Option<&'static str>,
    }

    impl Walker for Diary {
        type End = ();

        fn enter(&mut self, folder: &Folder, entries: &[(OsString, Kind)]) {
            if entries.iter().any(|(name, _)| name == "told") {
                let name = folder.path.file_name().unwrap().display();
                self.lines.push(format!("into {name}: {}", entries.len()));
            }
        }

        fn meet(&mut self, met: &Met<'_>) -> Result<(), ()> {
            let below = met.below().unwrap_or("no text").to_owned();
            if self.ends_at == Some(below.as_str()) {
                return Err(());
            }
            self.lines.push(format!("{below} {:?}", met.kind));
            Ok(())
        }

        fn obstructed(&mut self, by: Obstacle) -> Result<(), ()> {
            let last = |path: &Path| path.file_name().unwrap().display().to_string();
            self.lines.push(match by {
                Obstacle::Unreadable { path, source } => format!("{} {:?}", last(&path), source.kind()),
                Obstacle::Names => "too many".to_owned(),
                Obstacle::Depth => "too deep".to_owned(),
            });
            Ok(())
        }
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        sample::folder(names.iter().map(|name| (name, "")))
    }

    fn walked(folder: &tempfile::TempDir, names: usize, depth: usize, mut diary: Diary) -> Vec<String> {
        let mut room = Room { names, depth };
        let _ = Folder::open(folder.path()).unwrap().walk(&mut room, &mut diary);
        assert_eq!(room.depth, depth);
        diary.lines
    }

    #[test]
    fn comes_to_every_name_once_in_order_and_into_no_link() {
        let folder = folder(&["b", "a/c", "a-b"]);
        symlink("a", folder.path().join("z")).unwrap();
        let met = walked(&folder, 9, 9, Diary::default());
        assert_eq!(met, ["a Folder", "a/c File", "a-b File", "b File", "z Link"]);
    }

    #[test]
    fn goes_around_what_it_cannot_pass() {
        let deep = folder(&["a/b/c", "d"]);
        let met = walked(&deep, 9, 1, Diary::default());
        assert_eq!(met, ["a Folder", "a/b Folder", "too deep", "d File"]);
        assert_eq!(walked(&deep, 3, 9, Diary::default()), ["a Folder", "a/b Folder", "too many", "d File"]);
        assert_eq!(walked(&deep, 1, 9, Diary::default()), ["too many"]);
    }

    #[test]
    fn tells_what_is_in_a_folder_before_it_and_ends_where_the_walker_says() {
        let folder = folder(&["a/b", "c/told", "c/x", "d"]);
        let diary = Diary { ends_at: Some("d"), ..Diary::default() };
        let met = ["a Folder", "a/b File", "c Folder", "into c: 2", "c/told File", "c/x File"];
        assert_eq!(walked(&folder, 9, 9, diary), met);
    }
}
