//! Where a finding stands, as the root of a repository sees it.
//!
//! In: a finding's places, in the names that the user gave their files. Out: a name that CI systems and code
//! scanning can follow: relative to the root, with `/`, never outside of it.

use std::path::{Component, Path, PathBuf};

use crate::policy::Finding;
use crate::yaml::Place;

/// The folders that names of files are read against.
#[derive(Debug, Clone)]
pub struct Places {
    root: PathBuf,
    here: PathBuf,
    about: String,
}

/// A line of a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file, relative to the root.
    pub file: String,
    /// Line, counted from 1.
    pub line: u64,
    /// Column, counted from 1, in characters.
    pub column: u64,
}

impl Places {
    /// Of a run in `here`, in the repository at `root` (both absolute), about a release that this file is of.
    pub fn new(root: &Path, here: &Path, about: &Path) -> Self {
        let root = if here.starts_with(root) { root } else { here };
        let about = about.display().to_string();
        Self { root: root.to_owned(), here: here.to_owned(), about }
    }

    /// The name of a file as the root sees it; none for one outside.
    pub fn name(&self, file: &str) -> Option<String> {
        let mut path = PathBuf::new();
        for component in self.here.join(file).components() {
            match component {
                Component::ParentDir => {
                    path.pop();
                }
                Component::CurDir => {}
                other => path.push(other),
            }
        }
        let inside = path.strip_prefix(&self.root).ok()?;
        let names: Vec<_> = inside.components().map(|name| name.as_os_str().to_string_lossy()).collect();
        (!names.is_empty()).then(|| names.join("/"))
    }

    /// Where a finding stands: what it is about, else the requirement; none for a flag's.
    pub fn of(&self, finding: &Finding) -> Option<Spot> {
        self.subject(finding).or_else(|| self.requirement(finding))
    }

    /// The requirement of a finding that stands elsewhere.
    pub fn beside(&self, finding: &Finding) -> Option<Spot> {
        self.subject(finding)?;
        self.requirement(finding)
    }

    /// The file that the release is of: where a finding without a place is shown.
    pub fn about(&self) -> Option<Spot> {
        Some(Spot { file: self.name(&self.about)?, line: 1, column: 1 })
    }

    fn subject(&self, finding: &Finding) -> Option<Spot> {
        finding.place.as_ref().and_then(|place| self.spot(place))
    }

    fn requirement(&self, finding: &Finding) -> Option<Spot> {
        finding.origin.as_ref().and_then(|origin| self.spot(&origin.place))
    }

    fn spot(&self, place: &Place) -> Option<Spot> {
        Some(Spot { file: self.name(&place.file)?, line: place.line.max(1), column: place.column.max(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_files_as_the_root_sees_them() {
        let places = Places::new(Path::new("/work"), Path::new("/work/deploy"), Path::new("release.yaml"));
        let named = |file: &str| places.name(file);
        assert_eq!(named("policies/a.yaml").as_deref(), Some("deploy/policies/a.yaml"));
        assert_eq!(named("../policies/./a.yaml").as_deref(), Some("policies/a.yaml"));
        assert_eq!(named("/work/x.yaml").as_deref(), Some("x.yaml"));
        assert_eq!([named("../../etc/passwd"), named("/etc/passwd"), named("..")], [None, None, None]);
        assert_eq!(places.about().map(|spot| spot.file).as_deref(), Some("deploy/release.yaml"));
    }

    #[test]
    fn a_run_outside_the_root_has_a_root_of_its_own() {
        let places = Places::new(Path::new("/work"), Path::new("/elsewhere"), Path::new("release.yaml"));
        assert_eq!(places.name("a.yaml").as_deref(), Some("a.yaml"));
    }
}
