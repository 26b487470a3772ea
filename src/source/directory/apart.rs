//! What must not lie where evidence is put: trust, policies, the log.
//!
//! In: a path, and the paths of evidence. Out: whether whoever may write below one of them decides what is found
//! at that path: because it leads there, or through a name there that could be made a link to elsewhere.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Links that are followed on one path: as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Whether a path leads to or through what lies at or below one of these. One of them that does not exist
/// holds nothing.
///
/// # Errors
/// The system's own, when the path can't be followed to its end.
pub fn lies_within(file: &Path, paths: &[PathBuf]) -> io::Result<bool> {
    let places: Vec<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let (names, end) = followed(file)?;
    let below = |name: &PathBuf| places.iter().any(|place| name != place && name.starts_with(place));
    Ok(names.iter().any(below) || places.iter().any(|place| end.starts_with(place)))
}

/// Every name on the way along a path, links followed, and where it ends.
fn followed(file: &Path) -> io::Result<(Vec<PathBuf>, PathBuf)> {
    let (mut names, mut links) = (Vec::new(), 0);
    let mut here = Path::new(".").canonicalize()?;
    let mut ahead = steps(file);
    while let Some(step) = ahead.pop_front() {
        let next = here.join(&step);
        if step == ".." {
            here.pop();
        } else if next.symlink_metadata()?.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            for step in steps(&next.read_link()?).into_iter().rev() {
                ahead.push_front(step);
            }
            names.push(next);
        } else {
            names.push(next.clone());
            here = next;
        }
    }
    Ok((names, here))
}

/// The steps of a path; the first of one that begins at the root is the root, which starts anew.
fn steps(path: &Path) -> VecDeque<OsString> {
    let told = path.components().filter(|component| *component != Component::CurDir);
    told.map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn finds_a_path_that_leads_into_evidence_or_through_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("evidence/sub")).unwrap();
        fs::create_dir_all(at("reviewed")).unwrap();
        for name in ["trust.yaml", "reviewed/trust.yaml", "evidence/trust.yaml"] {
            fs::write(at(name), "").unwrap();
        }
        symlink("../trust.yaml", at("evidence/out.yaml")).unwrap();
        symlink(at("evidence/trust.yaml"), at("reviewed/in.yaml")).unwrap();
        symlink("../reviewed", at("evidence/folder")).unwrap();
        symlink("../evidence/out.yaml", at("reviewed/twice.yaml")).unwrap();
        symlink("evidence", at("named")).unwrap();
        let within = |file: &str, evidence: &str| lies_within(&at(file), &[at(evidence)]).unwrap();
        for file in [
            "evidence/trust.yaml",
            "evidence/out.yaml",
            "evidence/folder/trust.yaml",
            "evidence/sub/../../trust.yaml",
            "reviewed/in.yaml",
            "reviewed/twice.yaml",
        ] {
            assert!(within(file, "evidence") && within(file, "named"), "{file}");
        }
        for file in ["trust.yaml", "reviewed/trust.yaml", "evidence/../trust.yaml", "reviewed/../trust.yaml"]
        {
            assert!(!within(file, "evidence") && !within(file, "gone"), "{file}");
        }
        assert!(within("trust.yaml", "trust.yaml") && !within("trust.yaml", "reviewed/trust.yaml"));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("loop", at("loop")).unwrap();
        assert_eq!(lies_within(&at("loop"), &[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(lies_within(&at("gone"), &[]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
