//! URIs of sources, as builders write them: a repository, perhaps with a ref.
//!
//! In: a text out of a predicate. Out: the repository as facts name it, and the ref. `.` and `..` are
//! taken out of paths first (<https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4>), as git does before it
//! asks: `https://github.com/acme/payments@/../../evil/x` is fetched from `evil/x`. Nothing else is made
//! equal: scheme, host and path are compared as they are written, case included.

use crate::release::bare_repository;

/// `git+https://github.com/acme/payments.git@refs/tags/v1` as repository and ref.
///
/// The ref begins at the first `@` of the path, since an authority may hold one
/// (`ssh://git@host/…`) and a ref may hold more.
pub(super) fn split_uri(uri: &str) -> (String, Option<String>) {
    let uri = without_dots(uri.strip_prefix("git+").unwrap_or(uri));
    let path = uri.find("://").and_then(|scheme| {
        let authority = scheme + "://".len();
        Some(authority + uri.get(authority..)?.find('/')?)
    });
    let split = path.and_then(|path| Some(path + uri.get(path..)?.find('@')?));
    match split.and_then(|at| uri.split_at_checked(at)) {
        Some((repository, r#ref)) => {
            let r#ref = r#ref.strip_prefix('@').unwrap_or(r#ref);
            (repository_of(repository), (!r#ref.is_empty()).then(|| r#ref.to_owned()))
        }
        None => (repository_of(&uri), None),
    }
}

/// `https://github.com/acme/payments.git#refs/tags/v1:folder` as repository and ref: what BuildKit
/// calls a git context, and how object stores name a generation.
pub(super) fn split_fragment(uri: &str) -> (String, Option<String>) {
    let (repository, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let r#ref = fragment.split(':').next().unwrap_or_default();
    (repository_of(repository), (!r#ref.is_empty()).then(|| r#ref.to_owned()))
}

/// A repository's URI as facts name it.
pub(in crate::verify::provenance) fn repository_of(uri: &str) -> String {
    bare_repository(&without_dots(uri)).to_owned()
}

/// A URI without `.` and `..` in its path. Above the host there is nothing.
pub(in crate::verify::provenance) fn without_dots(uri: &str) -> String {
    let start = uri.find("://").map_or(0, |scheme| scheme + "://".len());
    let (scheme, rest) = uri.split_at_checked(start).unwrap_or(("", uri));
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, more) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match dots(part) {
            0 => kept.push(part),
            2 if kept.len() > 1 => drop(kept.pop()),
            _ => {}
        }
    }
    format!("{scheme}{}{more}", kept.join("/"))
}

/// How many dots a part of a path is, and nothing else.
fn dots(part: &str) -> usize {
    match part.to_ascii_lowercase().replace("%2e", ".").as_str() {
        "." => 1,
        ".." => 2,
        _ => 0,
    }
}
